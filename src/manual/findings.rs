//! What a verifier can find, with what to do about it: one table, of which this page and [`crate::FindingKind`] are both made.
//!
//! A finding is a code of this table with what was expected, what was found and where. A wrong signature or digest (VF-101, VF-102) is a
//! symptom; the cause stands beside it as a finding of its own. A cause is named only when undoing it makes signature or digest true:
//! the verifier tries the known ways to break a signature, each alone, and says VF-199 where none of them fits. It does not guess.
//!
//! Pairs are tried too, as far as this: in announcement 179 two ways of writing the string (strings of up to 64 KiB), and one of them with a signed newline,
//! with another hash or Z, or with another signer's key; in raw signatures and CMS, line ends with the last newline, and both with another hash or Z; in
//! logins, the form of the challenge with another hash or Z; in customs messages, some changes of the body with some of SignedInfo. Where two changes meet
//! that are not among these, the report says VF-199.
//!
//! | range | about |
//! |---|---|
//! | 00x | what is right |
//! | 10x to 11x | signature values, and the form of XML signatures |
//! | 12x to 14x | certificates, chains, revocation, roles, declarants |
//! | 15x | what is accepted and a person should know |
//! | 16x | what was done to a document before or after signing |
//! | 2xx | announcement 179 and logins |
//! | 3xx | CMS messages |
//!
//! # Rule for a new finding
//!
//! A finding exists where a person would do something else. Its number is new and stays. Its words say nothing of a person, and what is
//! expected and found are octets, names of algorithms and codes, never a key, a PIN or an identity number.

/// Hands the table to a macro. Each row: name, code, severity; what it means and what to do in English, then in Chinese.
macro_rules! table_of_findings {
    ($use_it:path) => {
        $use_it! {
SignatureRight = "VF-001", Info,
    "the signature value belongs to the certificate's key", "",
    "签名值与证书公钥相符", "";
DigestRight = "VF-002", Info,
    "what the signature covers is as it was when it was signed", "",
    "签名覆盖的内容与签名时一致", "";
SignatureWrong = "VF-101", Wrong,
    "the signature value does not belong to this certificate and these signed octets",
    "look at the cause that is named beside it; where none is, have it signed again and send the octets as they come out",
    "签名值与证书及签名内容不符", "请查看同时列出的原因；若无，请重新签名并原样发送";
DigestWrong = "VF-102", Wrong,
    "the document was changed after signing, or was hashed wrongly when it was signed",
    "look at the cause that is named beside it; where none is, have it signed again and send the octets as they come out",
    "文档在签名后被修改，或签名时摘要计算有误", "请查看同时列出的原因；若无，请重新签名并原样发送";
NewlineAdded = "VF-103", Wrong,
    "a newline was added next to the Signature element after signing", "remove it, and whatever program puts it there",
    "签名后在 Signature 元素旁增加了换行", "请删除该换行，并修正加入换行的程序";
NewlineRemoved = "VF-104", Wrong,
    "a newline next to the Signature element was removed after signing", "put it back, and send the file as it came out of signing",
    "签名后删除了 Signature 元素旁的换行", "请恢复该换行，并按签名结果原样发送";
SignedInfoPretty = "VF-105", Wrong,
    "white space was put into SignedInfo after signing", "write SignedInfo in one line, as it was signed; do not format a signed message",
    "签名后 SignedInfo 中加入了空白", "请将 SignedInfo 写成一行（与签名时一致）；已签名的报文不要再格式化";
IdentifierUnknown = "VF-106", Wrong,
    "an algorithm identifier is not known or not allowed here", "use one of the official identifier sets, and sign again",
    "算法标识未知或不允许", "请使用官方算法标识并重新签名";
IdentifiersMixed = "VF-107", Wrong,
    "signature and digest identifiers do not belong to one set", "take both identifiers from one official set, and sign again",
    "签名与摘要算法标识不属于同一组", "两个标识应取自同一组官方标识，然后重新签名";
KeyMismatch = "VF-108", Wrong,
    "the certificate's key is not of the type that the signature names, or too short or too long for it",
    "name the algorithm of the key, or sign with the right certificate; for a key that is too short or too long, get a certificate with RSA of 2048 to 4096 bits",
    "证书密钥类型与签名算法不符，或密钥过短或过长",
    "请按密钥类型填写算法，或改用正确的证书签名；密钥过短或过长时，请换发 2048 至 4096 位 RSA 密钥的证书";
KeyNotSigner = "VF-109", Wrong,
    "the signature was made by another certificate's key than the one in the document",
    "put the certificate of the key that signed into the document, or sign with the key of this one",
    "签名由另一证书的密钥产生，而不是文档中的证书", "请在文档中放入实际签名密钥的证书，或用该证书的密钥重新签名";
NoSignature = "VF-110", Wrong,
    "the document has no signature", "sign it",
    "文档没有签名", "请签名";
SeveralSignatures = "VF-111", Wrong,
    "the document has more than one Signature element", "do not trust what it says; a message has one signature: sign the unsigned original once",
    "文档含有多个 Signature 元素", "请勿采信其内容；一个报文只应有一个签名：请对未签名原文只签一次";
Wrapping = "VF-112", Wrong,
    "the signature does not cover the whole document as customs wants it", "do not trust what it says; sign the whole document with one Reference whose URI is empty",
    "签名未按海关要求覆盖整个文档", "请勿采信其内容；应以一个 URI 为空的 Reference 对整个文档签名";
Structure = "VF-113", Wrong,
    "the Signature element is not built as the standard says", "write the elements of XML Signature in their order, once each, and sign again",
    "Signature 元素结构不符合标准", "请按标准顺序各写一次 Signature 的元素，然后重新签名";
SignatureUnreadable = "VF-114", Wrong,
    "the signature value cannot be read",
    "write it as the format has it: base64 without other characters in customs messages, announcement 179 and logins, the octets themselves in raw signatures and CMS",
    "签名值无法读取", "请按格式要求写入：海关报文、第179号公告和登录为不含其他字符的 base64，裸签名和 CMS 为签名字节本身";
DerForRaw = "VF-115", Wrong,
    "the signature value is DER, where r and s are wanted as 64 octets", "write r and s one after the other, 32 octets each; no new signature is needed",
    "签名值为 DER 编码，而应为 r 与 s 共 64 字节", "请将 r、s 各写成 32 字节并连接；无需重新签名";
RawForDer = "VF-116", Wrong,
    "the signature value is r and s as 64 octets, where DER is wanted", "write it as a DER SEQUENCE of two INTEGERs; no new signature is needed",
    "签名值为 r 与 s 共 64 字节，而应为 DER 编码", "请写成含两个 INTEGER 的 DER SEQUENCE；无需重新签名";
Sm2WithoutZ = "VF-117", Wrong,
    "the SM2 signature was made over SM3 of the octets alone, without Z", "sign e = SM3(Z and the octets), Z with the identifier 1234567812345678 or the one that was agreed",
    "SM2 签名仅对内容的 SM3 摘要进行，缺少 Z 值", "应对 e = SM3(Z‖内容) 签名，Z 使用标识 1234567812345678 或约定的标识";
Sm2EmptyId = "VF-118", Wrong,
    "the SM2 signature was made with an empty identifier in Z", "give the signer the identifier 1234567812345678 or the one that was agreed, and sign again",
    "SM2 签名的 Z 值使用了空标识", "请使用标识 1234567812345678 或约定的标识重新签名";
DigestAlgorithmOther = "VF-119", Wrong,
    "the digest value was made with another algorithm than its identifier says", "hash with the algorithm of the identifier, and sign again",
    "摘要值所用算法与其标识不一致", "请按标识指明的算法计算摘要并重新签名";
KeyNameOther = "VF-120", Warning,
    "KeyName is not the certificate's number", "write the serial number of the signing certificate, in lower-case hex with its leading zero",
    "KeyName 与证书编号不一致", "请填写签名证书的序列号（小写十六进制，保留前导零）";
CertificateMissing = "VF-121", Wrong,
    "no certificate was found to verify with", "put the signing certificate into the document, or give it to the verifier",
    "没有可用于验签的证书", "请在文档中放入签名证书，或在验签时提供";
CertificateUnreadable = "VF-122", Wrong,
    "the certificate or the key in it cannot be read",
    "write the certificate as base64 of its DER, without the PEM lines; where only the kind of its key is not supported, sign with a certificate of another key",
    "证书或其中的密钥无法读取", "请写入证书 DER 的 base64，不含 PEM 首尾行；若仅密钥类型不受支持，请改用其他密钥类型的证书签名";
CertificateNotTheGiven = "VF-123", Wrong,
    "the document carries another certificate than the one that was given to verify it with", "find out who signed; sign with the certificate that the receiver knows",
    "文档所带的证书与为验签给出的证书不同", "请核实签名人；应使用接收方登记的证书签名";
CardOther = "VF-124", Wrong,
    "the document was signed with another card of the same company than the one that was given", "insert the right card (the operator's, not the legal person's, for declarations and announcement 179) and sign again",
    "文档由同一单位的另一张卡签名", "请插入正确的卡（报关和 179 号公告使用操作员卡而非法人卡）并重新签名";
CertificateExpired = "VF-130", Wrong,
    "the certificate had expired", "renew the certificate and sign again",
    "证书已过期", "请更新证书并重新签名";
CertificateNotYetValid = "VF-131", Wrong,
    "the certificate was not valid yet", "look at the clock of the signing computer, or wait",
    "证书尚未生效", "请检查签名计算机的时钟，或等待证书生效";
CertificateUsage = "VF-132", Wrong,
    "the certificate is not for signatures", "sign with the signing certificate, not with the one for encryption",
    "证书用途不是签名", "请使用签名证书，而不是加密证书";
CertificateUntrusted = "VF-133", Wrong,
    "the certificate comes from no issuer that is trusted here", "get the issuer's certificates from the issuer itself, and give them to the verifier",
    "证书不是由受信任的机构签发", "请从签发机构取得其证书并提供给验签方";
TrustNotAsked = "VF-134", Warning,
    "nobody said which issuers are trusted, so nothing is said of who signed", "name the trusted issuers",
    "未指定受信任机构，无法确认签名人身份", "请指定受信任的签发机构";
ExpiredAtSigning = "VF-135", Wrong,
    "the certificate had expired at the time that the document gives", "renew the certificate and sign again",
    "按文档中的时间，签名时证书已过期", "请更新证书并重新签名";
CertificateRevoked = "VF-136", Wrong,
    "the certificate, or one above it, was revoked by its issuer", "do not trust the document; the holder needs a new certificate",
    "证书或其上级证书已被签发机构吊销", "请勿采信该文档；持有人应换发证书";
RevocationUnknown = "VF-137", Wrong,
    "none of the given CRLs says whether the certificate was revoked", "get the issuer's current CRL, and give it to the verifier",
    "所给的 CRL 均无法说明证书是否被吊销", "请取得签发机构的最新 CRL 并提供给验签方";
CrlUnusable = "VF-138", Warning,
    "a given CRL was not used", "get a current one from the issuer itself",
    "所给的一个 CRL 未被采用", "请从签发机构取得最新的 CRL";
RoleOther = "VF-140", Wrong,
    "the certificate does not have the role that is expected", "sign with the certificate of that role: another card, or the other certificate of the shield",
    "证书角色与要求不符", "请使用相应角色的证书签名：换卡，或使用共享盾中的另一张证书";
DeclarantOther = "VF-141", Wrong,
    "the declarant in the document is not the company of the certificate", "sign with the card of the company that declares, or correct the declarant (customs: -621015, -625013)",
    "文档中的申报单位与证书所属单位不一致", "请使用申报单位的卡签名，或更正申报单位（海关回执 -621015、-625013）";
WeakKey = "VF-150", Warning,
    "the key is short by today's measure", "ask the issuing office for a certificate with a longer key",
    "密钥长度不足", "请向发证机构申请更长密钥的证书";
Sha1Used = "VF-151", Info,
    "SHA-1 is used, as the customs format has it", "",
    "按海关格式使用了 SHA-1", "";
TestIdentifiers = "VF-152", Warning,
    "the algorithm has no customs identifier: customs does not take this document", "sign with an SM2 or RSA certificate of the e-port",
    "该算法没有海关标识：海关不接受此文档", "请使用电子口岸的 SM2 或 RSA 证书签名";
CommentInText = "VF-153", Warning,
    "a comment stands inside an element that holds text: it is not signed, and a program that takes the text in pieces reads other data than was signed",
    "take the text with the comment left out, or ask for a message without comments",
    "含文本的元素内有注释：注释未被签名，分段读取文本的程序得到的数据可能与所签内容不同", "读取时请忽略注释，或要求对方发送无注释的报文";
SignatureExtras = "VF-154", Warning,
    "the Signature element holds something that customs does not ask for: it is not signed and was not used", "leave it out",
    "Signature 元素含有海关未要求的内容：未被签名，也未被采用", "请去掉该内容";
SignatureNotLast = "VF-155", Warning,
    "the Signature element is not the last child of the document element, where customs has it", "put it directly before the end tag of the document element",
    "Signature 元素不是根元素的最后一个子元素，与海关要求的位置不符", "请将其放在根元素结束标签之前";
IndentationChanged = "VF-160", Wrong,
    "the indentation of the document was changed after signing", "send the file as it came out of signing; do not format it, and do not turn tabs into spaces",
    "签名后文档的缩进被修改", "请按签名结果原样发送；不要格式化，也不要将制表符转换为空格";
NamespaceLost = "VF-161", Wrong,
    "the document was hashed with a namespace declaration that its document element does not have: it was lost after signing, or never written",
    "put the declaration back, and do not let a program write the signed message anew; where the value is right without it, hash the document as it is sent, and sign again",
    "计算摘要时根元素含有现在没有的命名空间声明：签名后丢失，或从未写入",
    "请恢复该声明，且不要让程序重新生成已签名的报文；若签名值在没有它时正确，应按发送的文档计算摘要并重新签名";
NamespaceAdded = "VF-162", Wrong,
    "the document was hashed without a namespace declaration or an xml: attribute of its document element: it was added after signing, or left out",
    "take it out, and do not let a program write the signed message anew; where the value is right with it, hash the document as it is sent, and sign again",
    "计算摘要时根元素不含现有的命名空间声明或 xml: 属性：签名后增加，或计算时遗漏",
    "请去掉该内容，且不要让程序重新生成已签名的报文；若签名值在有它时正确，应按发送的文档计算摘要并重新签名";
C14nWithComments = "VF-163", Wrong,
    "canonical XML with comments is named or was used, where customs has it without", "use the identifier without #WithComments, leave comments out of the digest, and sign again",
    "使用了带注释的规范化（#WithComments），而海关要求不带注释", "请使用不带 #WithComments 的标识，摘要不含注释，然后重新签名";
TextHashed = "VF-164", Wrong,
    "the text of the file was hashed as it stands, not its canonical form", "hash what Canonical XML makes of the document (line ends as LF, no XML declaration), and sign again",
    "摘要直接对文件文本计算，而不是对规范化结果计算", "应对规范化后的内容计算摘要（换行为 LF，不含 XML 声明），然后重新签名";
SignedInfoChanged = "VF-165", Wrong,
    "SignedInfo as it stands is not what was signed: it was changed after signing, or hashed otherwise than it stands",
    "send SignedInfo as it was signed; where the signer hashed another form, let it hash SignedInfo where it stands, with all that reaches it, and sign again",
    "SignedInfo 与签名时的内容不一致：签名后被修改，或签名时计算的内容与文件中的不同",
    "请保持 SignedInfo 与签名时一致；若签名方计算的是另一形式，应按其所在位置（含生效的命名空间和 xml: 属性）规范化后重新签名";
LineEndsConverted = "VF-166", Wrong,
    "the signature is right for the document with other line ends", "verify the octets that were signed: transfer the file as binary, and sign as binary",
    "换行符不同的文档才与签名相符", "请按二进制传输和签名，验签时使用原始字节";
ContentNewline = "VF-167", Wrong,
    "the signature is right for the document with or without a newline at its end", "verify the octets that were signed: no editor and no shell may add or cut the last newline",
    "文档末尾有无换行与签名时不同", "请使用签名时的原始字节：编辑器或脚本不得增删末尾换行";
NoKnownReason = "VF-199", Info,
    "none of the known ways to break a signature explains this one: no known reason", "compare the digest input with the signer's, octet by octet; ask for the file as it came out of signing",
    "已知的各种破坏签名的方式均不能解释：原因未知", "请与签名方逐字节比对摘要输入；并索取签名后的原始文件";
NewlineAtEnd = "VF-201", Wrong,
    "a newline stands at the end of the string: announcement 179 signs it without one", "sign the string without the newline",
    "字符串末尾有换行：第179号公告的签名不含换行", "请对不含换行的字符串签名";
EscapedTwice = "VF-202", Wrong,
    "the inner JSON was escaped a second time", "sign head and lists as they stand, without a backslash before each quote",
    "内层 JSON 被二次转义", "应按原样签名，引号前不加反斜杠";
NumberText = "VF-203", Wrong,
    "a number was signed with another text than it is posted with", "keep the number's text the same in both, without quotes, and never through a float",
    "数字签名时的文本与提交的不一致", "两处数字文本应保持一致，不带引号，也不要经过浮点数";
FieldOrder = "VF-204", Wrong,
    "the fields stand in another order than the announcement's", "write the fields in the announcement's order, not in that of a map",
    "字段顺序与公告不一致", "请按公告的顺序写字段，不要按映射表的顺序";
NeedlessEscape = "VF-205", Wrong,
    "characters were escaped that announcement 179 has as they are", "turn off the escaping of slashes, HTML and non-ASCII in the JSON writer",
    "对应保持原样的字符进行了转义", "请关闭 JSON 输出中对斜杠、HTML 和非 ASCII 字符的转义";
InnerSpaces = "VF-206", Wrong,
    "the inner JSON is not compact: white space between its parts was signed", "write head and lists without white space between their parts",
    "内层 JSON 不是紧凑格式：签名中包含了空白", "请以不含空白的紧凑格式写入";
StringShape = "VF-207", Wrong,
    "the text is not the signing string of announcement 179", "put the string together as the announcement has it",
    "文本不是第179号公告的待签名字符串", "请按公告拼接字符串";
FieldFault = "VF-208", Wrong,
    "a field is missing, unknown, twice or not as announcement 179 has it", "correct the field that is named",
    "字段缺失、未知、重复或不符合第179号公告", "请更正所指明的字段";
OtherHash = "VF-209", Wrong,
    "the signature was made with another hash than is asked for", "sign with the hash that is asked for",
    "签名所用摘要方式与要求不符", "请使用要求的摘要算法签名";
PostedOtherwise = "VF-210", Warning,
    "what is posted is written otherwise than what was signed: a receiver that compares texts will refuse it", "post the octets that were signed",
    "提交的文本与签名的文本写法不同：按文本比对的接收方会拒绝", "请提交与签名完全相同的文本";
NumberOther = "VF-211", Warning,
    "certNo is not the certificate's number", "write the serial number of the certificate that signed, and register that certificate with customs",
    "certNo 与证书编号不一致", "请填写签名证书的编号，并在海关登记该证书";
NumberCase = "VF-212", Warning,
    "certNo is in upper case: customs registers it in lower case", "write it in lower case; no new signature is needed",
    "certNo 为大写：海关以小写登记", "请改为小写；无需重新签名";
GuidCase = "VF-213", Warning,
    "guid has lower-case letters: customs wants upper case", "write it in upper case, and sign again",
    "guid 含小写字母：海关要求大写", "请改为大写并重新签名";
ChallengeShape = "VF-220", Wrong,
    "what was signed is no login challenge: it is empty, too long, or begins as a document", "do not take it for a login; ask the site for a new random",
    "被签名的不是登录随机数：为空、过长或开头是文档", "请勿视为登录；请向网站重新获取随机数";
ChallengeAsText = "VF-221", Wrong,
    "the base64 text of the challenge was signed, not its octets", "decode the random from base64, and sign what comes out",
    "签名的是随机数的 base64 文本，而不是其字节", "请先将随机数 base64 解码，再对所得字节签名";
ChallengeIsBase64 = "VF-222", Warning,
    "the challenge is, or may be, base64 text: the e-port signs the octets that it stands for",
    "where it is base64, sign what the text stands for; to verify that, say that the challenge is base64, or give it decoded",
    "所给的随机数是或可能是 base64 文本：电子口岸对其解码后的字节签名", "若为 base64，请对解码后的字节签名；验签时请注明随机数为 base64，或提供解码后的字节";
CmsStructure = "VF-301", Wrong,
    "the message is not built as RFC 5652 says", "have it made again by a program that keeps to RFC 5652",
    "消息结构不符合 RFC 5652", "请用符合 RFC 5652 的程序重新生成";
TrailingOctets = "VF-302", Wrong,
    "octets follow the end of the message", "remove them",
    "消息末尾之后还有多余内容", "请删除";
NotDer = "VF-303", Info,
    "the message is BER, not DER: it was read all the same", "",
    "消息采用 BER 而非 DER 编码：仍可读取", "";
DocumentAbsent = "VF-304", Wrong,
    "the message is detached and the document that it signs was not given", "give the document",
    "消息不含原文，且未提供所签文档", "请同时提供所签文档";
DocumentTwice = "VF-305", Wrong,
    "the message holds a document of its own, and another one was given", "verify it without another document",
    "消息自带原文，又另外提供了文档", "请勿另外提供文档";
SeveralSigners = "VF-306", Wrong,
    "the message has more than one signer, and one is expected", "ask for one message for each signer",
    "消息有多个签名人，应只有一个", "请每个签名人单独生成消息";
ContentTypeOther = "VF-307", Wrong,
    "what is signed is not plain data", "ask for a message over plain data",
    "所签内容不是普通数据", "请要求对普通数据签名的消息";
ContentTypeWrong = "VF-308", Wrong,
    "the signed content type is not that of the message", "do not trust it; have it signed again",
    "签名属性中的内容类型与消息不符", "请勿采信；请重新签名";
AttributeMissing = "VF-309", Wrong,
    "a signed attribute that must be there is missing", "have it signed again with content type and message digest",
    "缺少必需的签名属性", "请带上内容类型和消息摘要属性重新签名";
AttributeRepeated = "VF-310", Wrong,
    "a signed attribute stands there more than once, or has not exactly one value", "have it signed again",
    "签名属性重复，或其值不是恰好一个", "请重新签名";
SigningCertificateOther = "VF-311", Wrong,
    "the message was signed for another certificate than the one it names", "do not trust it; put the certificate in that signed",
    "消息所签的证书与其指明的证书不符", "请勿采信；应放入实际签名的证书";
SigningCertificateAbsent = "VF-312", Info,
    "the signed attributes do not name the certificate (signing-certificate-v2)", "",
    "签名属性未指明证书（signing-certificate-v2）", "";
ContentIsAttributes = "VF-313", Wrong,
    "what was signed is what another format signs (attributes of a CMS message, a SignedInfo, a 179 string): the signature may have been made for that",
    "do not take it; have the document signed in its own format",
    "被签名的内容属于另一种格式（CMS 签名属性、SignedInfo、179 字符串）：该签名可能是为其所作", "请勿接受；请按其自身格式签名";
NoAttributes = "VF-314", Info,
    "the document is signed without attributes: neither time nor certificate is signed", "",
    "签名不含属性：时间和证书均未被签名", "";
UnsignedAttributes = "VF-315", Info,
    "the message has unsigned attributes, which are not looked at", "",
    "消息含有未签名属性，未予采信", "";
SigningTime = "VF-316", Info,
    "the signer gave this time", "",
    "签名人给出的时间", "";
SigningTimeOutside = "VF-317", Warning,
    "the certificate was not valid yet at the time that the document gives", "look at the clock of the signing computer",
    "按文档中的时间，证书尚未生效", "请检查签名计算机的时钟";
VersionOther = "VF-318", Warning,
    "the version numbers of the message are not those of RFC 5652", "tell whoever makes the messages",
    "消息的版本号不符合 RFC 5652", "请告知消息的生成方";
        }
    };
}

macro_rules! page {
    ($($name:ident = $code:literal, $severity:ident, $en:literal, $do_en:literal, $zh:literal, $do_zh:literal;)*) => {
        /// Every finding.
        ///
        /// | code | name | severity | what it means | what to do | 含义 | 处理 |
        /// |---|---|---|---|---|---|---|
        $(#[doc = concat!(
            "| ", $code, " | `", stringify!($name), "` | ", stringify!($severity), " | ", $en, " | ", $do_en, " | ", $zh, " | ", $do_zh, " |"
        )])*
        pub mod table {}
    };
}

table_of_findings!(page);

pub(crate) use table_of_findings;
