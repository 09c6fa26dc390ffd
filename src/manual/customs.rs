//! The customs side: what is signed, byte for byte, and where each fact comes from.
//!
//! # Sources
//!
//! | short | source |
//! |---|---|
//! | SPEC | 海关跨境电商统一版系统企业对接报文规范（202205版）, the official interface text, with annex 3 on the choice and use of cryptographic products |
//! | SPEC18 | its edition of 2018 (海关总署公告2018年第113号) |
//! | 179 | 海关总署公告2018年第179号: real-time payment data |
//! | certificates | two RSA and three SM2 certificates of the e-port were read for their shape; none of them is kept |
//! | field | signatures that programs in use have published; recomputed where this page says *verified* |
//!
//! # §1 XML signature of a CEB message (SPEC §6)
//!
//! **§1.1** Enveloped W3C XML signature; inclusive Canonical XML 1.0 without comments; one Reference with `URI=""` and the one transform
//! *enveloped-signature*; KeyInfo holds KeyName, then X509Data/X509Certificate. Identifiers: `http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3`
//! with `…#sm3` preferred; `http://www.w3.org/2000/09/xmldsig#rsa-sha1` with `…#sha1` general. There is none for RSA with SHA-256 and none for
//! ECDSA.
//!
//! **§1.2** A Signature is mandatory in CEB 509, 603, 605, 607, 621, 623, 625, 701, 711; optional in 213, 215, 303, 311, 403, 411, 505, 507, 511, 513.
//!
//! A receipt (304, 312, 622 …), a tax bill (816, 818) and a format check (900) come from customs and have none. `appStatus` 2 declares and asks for a
//! Signature; 1 is a draft. The schema that belongs to SPEC names who sends what: 621, 623, 625 the e-commerce company or its agent (`agentCode`,
//! `agentName`: 申报单位, as in 213, 603, 605, 607, 701); 505, 509, 511, 513 the carrier (`logisticsCode`, `logisticsName`); 215 and 711 the operator of the
//! supervised place (`operatorCode`, `operatorName`); orders and payments one of several companies. The table is [`crate::format::ceb::MESSAGES`].
//!
//! **§1.3** The digest is made over the canonical document without the Signature element, every other character kept. SignedInfo is written in one
//! line. The Signature goes directly before the end tag of the document element; no character is added before or after it.
//!
//! **§1.4** RSA: PKCS#1 v1.5 with SHA-1. SM2: r‖s in 64 octets, e = SM3(Z ‖ SignedInfo) with the identifier `1234567812345678`; never DER. Without Z,
//! with an empty identifier or with another nothing verifies, so a request that names another is refused (`UnsupportedByCustoms`). KeyName (certNo)
//! is the serial number in lower-case hex, leading zero kept.
//!
//! **§1.5** A newline beside the Signature, white space in SignedInfo, a changed indentation, a lost or added namespace declaration break a
//! signature; line ends, attribute order, an added comment do not (judged with xmlsec1). KeyInfo is not signed.
//!
//! **§1.6** Other identifiers seen in the field: `http://www.w3.org/2000/09/xmldsig#sm2-sm3` with SHA-1; customs answers 验签失败 to mixed sets. For
//! RSA-2048 SPEC18 says SHA-256 in words, without an identifier. The sets have names: [`crate::IdentifierSet`].
//!
//! **§1.8** Customs answers minutes later: -621015 (the declarant is not the card's company), -625013 (申报单位代码/名称 differ from the certificate's). For the
//! other messages no such code is known. The certificate has a unit code of 9 characters, which is what stands at positions 9 to 17 of the social credit code of
//! 18 (inferred from what both codes are); a customs registration code of 10 digits cannot be compared with it.
//!
//! **§1.9** EMS pages of 金关二期 sign chosen form fields as one text, their values one after the other; signature and certNo are posted. The encoding of the text is not
//! documented; the vendor's library takes it as UTF-8 from the page (inferred).
//!
//! # §2 Announcement 179
//!
//! **§2.1** The signed string is `"sessionID":"…"||"payExchangeInfoHead":"{…}"||"payExchangeInfoLists":"[…]"||"serviceTime":"…"`, UTF-8, compact JSON inside,
//! not escaped a second time, no newline at the end. Head in the order guid, initalRequest, initalResponse, ebpCode, payCode, payTransactionId,
//! totalAmount, currency, verDept, payType, tradingTime, note. The text of totalAmount is the same in the string and in the posted JSON.
//!
//! **§2.2** RSA: SHA1withRSA. SM2: r‖s, 64 octets, in base64. Posted as form field `payExInfoStr` with certNo and signValue. Sources
//! say: with an operator's card.
//!
//! # §3 Login
//!
//! The server's random arrives as bare base64; the decoded octets are signed. The same field is used by two calls of the vendor's library; that both
//! decode it is inferred, so it is a setting.
//!
//! # §4 The local control
//!
//! **§4.4** Of the calls that sign, `SpcSignData` hashes what it is given (SM2 with Z), and `SpcSignDataNoHash` takes a digest, SHA-1 in its own comments.
//!
//! # §6 Certificates
//!
//! **§6.1** RSA generation: serial of 4 octets, issuer C=cn, O=中国电子口岸, OU=证书管理中心, ST=北京, CN=中国电子业务证书管理中心, L=北京 as BMPString, authority key identifier
//! F975A378450B4268C20453ABEBC34E3E54787460, RSA-1024. SM2 generation (issued after July 2022): serial of 8 octets beginning 03, the same names as
//! UTF8String, authority key identifier 442431B74C04BE80155E6BA8E0DD5B8CA5D38745. The test centre: O=电子口岸, OU=CA, CN=中国电子口岸数据中心开发区.
//!
//! **§6.2** Private extensions, arc 1.3.6.1.4.1.5315.100: 5.1 unit name, 5.9 IC card number (`03-` before it in SM2 certificates), 5.11 unit code,
//! 5.12 unit category. 5.8 is the holder's identity number and is never read. Each value is one string: IA5String holding GBK in RSA
//! certificates, UTF8String in SM2 ones.
//!
//! **§6.3** No field is known that tells a legal person's card from an operator's: arc 5.12 was `00` throughout. A profile says it ([`crate::CardKind`]); announcement
//! 179 wants an operator's. No bank certificate of a shared shield was available: the built-in
//! bank rules are unconfirmed.
//!
//! # §8 What users suffer
//!
//! Two programs on one key; keys that drop out; verification that fails without a reason; Windows-only drivers; PINs burnt by software; the
//! wrong card; surprise expiry. Warnings come 90, 30 and 7 days ahead, the last two as the login page does.
