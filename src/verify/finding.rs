//! The fixed catalogue of findings.

use std::fmt;

/// Where in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Octet offset from 0.
    pub offset: usize,
    /// Line from 1.
    pub line: usize,
}

impl Place {
    /// The place of an octet in a document.
    #[must_use]
    pub fn of(document: &[u8], offset: usize) -> Self {
        let before = document.get(..offset).unwrap_or(document);
        Place { offset, line: before.iter().filter(|o| **o == b'\n').count().saturating_add(1) }
    }
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Info,
    /// Accepted, but something is odd.
    Warning,
    /// The document must not be accepted.
    Wrong,
}

macro_rules! findings {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $en:literal, $zh:literal;)*) => {
        /// What can be found. Codes are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingKind { $( #[doc = $en] $name, )* }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &'static [FindingKind] = &[$(FindingKind::$name),*];
            /// The short code, such as `VF-101`.
            #[must_use]
            pub fn code(self) -> &'static str { match self { $(FindingKind::$name => $code,)* } }
            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity { match self { $(FindingKind::$name => Severity::$severity,)* } }
            /// What it means and what to do, in English.
            #[must_use]
            pub fn text(self) -> &'static str { match self { $(FindingKind::$name => $en,)* } }
            /// What it means and what to do, in Chinese.
            #[must_use]
            pub fn text_zh(self) -> &'static str { match self { $(FindingKind::$name => $zh,)* } }
        }
    };
}

findings! {
    SignatureRight = "VF-001", Info, "the signature value belongs to the certificate's key", "签名值与证书公钥相符";
    DigestRight = "VF-002", Info, "what the signature covers is as it was when it was signed", "签名覆盖的内容与签名时一致";
    SignatureWrong = "VF-101", Wrong, "the signature value does not belong to this certificate and these signed octets", "签名值与证书及签名内容不符";
    DigestWrong = "VF-102", Wrong, "the document was changed after signing, or was hashed wrongly when it was signed", "文档在签名后被修改，或签名时摘要计算有误";
    NewlineAdded = "VF-103", Wrong, "a newline was added next to the Signature element after signing: remove it", "签名后在 Signature 元素旁增加了换行：请删除";
    NewlineRemoved = "VF-104", Wrong, "a newline next to the Signature element was removed after signing: put it back", "签名后删除了 Signature 元素旁的换行：请恢复";
    SignedInfoPretty = "VF-105", Wrong, "white space was put into SignedInfo after signing: write it in one line", "签名后 SignedInfo 中加入了空白：请写成一行";
    IdentifierUnknown = "VF-106", Wrong, "an algorithm identifier is not known or not allowed here", "算法标识未知或不允许";
    IdentifiersMixed = "VF-107", Wrong, "signature and digest identifiers do not belong to one set", "签名与摘要算法标识不属于同一组";
    KeyMismatch = "VF-108", Wrong, "the certificate's key is not of the type that the signature names", "证书密钥类型与签名算法不符";
    NoSignature = "VF-110", Wrong, "the document has no signature", "文档没有签名";
    SeveralSignatures = "VF-111", Wrong, "the document has more than one Signature element", "文档含有多个 Signature 元素";
    Wrapping = "VF-112", Wrong, "the signature does not cover the whole document as customs wants it", "签名未按海关要求覆盖整个文档";
    Structure = "VF-113", Wrong, "the Signature element is not built as the standard says", "Signature 元素结构不符合标准";
    SignatureUnreadable = "VF-114", Wrong, "the signature value cannot be read", "签名值无法读取";
    KeyNameOther = "VF-120", Warning, "KeyName is not the certificate's number", "KeyName 与证书编号不一致";
    CertificateMissing = "VF-121", Wrong, "no certificate was found to verify with", "没有可用于验签的证书";
    CertificateUnreadable = "VF-122", Wrong, "the certificate cannot be read", "证书无法读取";
    CertificateNotTheGiven = "VF-123", Wrong, "the document carries another certificate than the one that was given to verify it with", "文档所带的证书与为验签给出的证书不同";
    CertificateExpired = "VF-130", Wrong, "the certificate had expired", "证书已过期";
    CertificateNotYetValid = "VF-131", Wrong, "the certificate was not valid yet", "证书尚未生效";
    CertificateUsage = "VF-132", Wrong, "the certificate is not for signatures", "证书用途不是签名";
    CertificateUntrusted = "VF-133", Wrong, "the certificate comes from no issuer that is trusted here", "证书不是由受信任的机构签发";
    TrustNotAsked = "VF-134", Warning, "nobody said which issuers are trusted, so nothing is said of who signed", "未指定受信任机构，无法确认签名人身份";
    RoleOther = "VF-140", Wrong, "the certificate does not have the role that is expected", "证书角色与要求不符";
    WeakKey = "VF-150", Warning, "the key is short by today's measure", "密钥长度不足";
    Sha1Used = "VF-151", Info, "SHA-1 is used, as the customs format has it", "按海关格式使用了 SHA-1";
    TestIdentifiers = "VF-152", Warning, "the algorithm has no customs identifier: customs does not take this document", "该算法没有海关标识：海关不接受此文档";
    CommentInText = "VF-153", Warning, "a comment stands inside an element that holds text: it is not signed, and a program that takes the text in pieces reads other data than was signed", "含文本的元素内有注释：注释未被签名，分段读取文本的程序得到的数据可能与所签内容不同";
    SignatureExtras = "VF-154", Warning, "the Signature element holds something that customs does not ask for: it is not signed and was not used", "Signature 元素含有海关未要求的内容：未被签名，也未被采用";
    SignatureNotLast = "VF-155", Warning, "the Signature element is not the last child of the document element, where customs has it", "Signature 元素不是根元素的最后一个子元素，与海关要求的位置不符";
    NewlineAtEnd = "VF-201", Wrong, "a newline stands at the end of the string: announcement 179 signs it without one", "字符串末尾有换行：第179号公告的签名不含换行";
    EscapedTwice = "VF-202", Wrong, "the inner JSON was escaped a second time: sign it as it stands", "内层 JSON 被二次转义：应按原样签名";
    NumberText = "VF-203", Wrong, "a number was signed with another text than it is posted with: keep the text, without quotes", "数字签名时的文本与提交的不一致：应保持原文且不带引号";
    FieldOrder = "VF-204", Wrong, "the fields stand in another order than the announcement's", "字段顺序与公告不一致";
    NeedlessEscape = "VF-205", Wrong, "characters were escaped that announcement 179 has as they are", "对应保持原样的字符进行了转义";
    InnerSpaces = "VF-206", Wrong, "the inner JSON is not compact: white space between its parts was signed", "内层 JSON 不是紧凑格式：签名中包含了空白";
    StringShape = "VF-207", Wrong, "the text is not the signing string of announcement 179", "文本不是第179号公告的待签名字符串";
    FieldFault = "VF-208", Wrong, "a field is missing, unknown, twice or not as announcement 179 has it", "字段缺失、未知、重复或不符合第179号公告";
    OtherHash = "VF-209", Wrong, "the signature was made with another hash than customs asks for", "签名所用摘要方式与海关要求不符";
    PostedOtherwise = "VF-210", Warning, "what is posted is written otherwise than what was signed: a receiver that compares texts will refuse it", "提交的文本与签名的文本写法不同：按文本比对的接收方会拒绝";
    NumberOther = "VF-211", Warning, "certNo is not the certificate's number", "certNo 与证书编号不一致";
    NumberCase = "VF-212", Warning, "certNo is in upper case: customs registers it in lower case", "certNo 为大写：海关以小写登记";
    GuidCase = "VF-213", Warning, "guid has lower-case letters: customs wants upper case", "guid 含小写字母：海关要求大写";
    ChallengeShape = "VF-220", Wrong, "what was signed is no login challenge: it is empty, too long, or begins as a document", "被签名的不是登录随机数：为空、过长或开头是文档";
    ChallengeAsText = "VF-221", Wrong, "the base64 text of the challenge was signed, not its octets", "签名的是随机数的 base64 文本，而不是其字节";
    CmsStructure = "VF-301", Wrong, "the message is not built as RFC 5652 says", "消息结构不符合 RFC 5652";
    TrailingOctets = "VF-302", Wrong, "octets follow the end of the message: remove them", "消息末尾之后还有多余内容：请删除";
    NotDer = "VF-303", Info, "the message is BER, not DER: it was read all the same", "消息采用 BER 而非 DER 编码：仍可读取";
    DocumentAbsent = "VF-304", Wrong, "the message is detached: give the document that it signs", "消息不含原文：请同时提供所签文档";
    DocumentTwice = "VF-305", Wrong, "the message holds a document of its own: verify it without another one", "消息自带原文：请勿另外提供文档";
    SeveralSigners = "VF-306", Wrong, "the message has more than one signer, and one is expected", "消息有多个签名人，应只有一个";
    ContentTypeOther = "VF-307", Wrong, "what is signed is not plain data", "所签内容不是普通数据";
    ContentTypeWrong = "VF-308", Wrong, "the signed content type is not that of the message", "签名属性中的内容类型与消息不符";
    AttributeMissing = "VF-309", Wrong, "a signed attribute that must be there is missing", "缺少必需的签名属性";
    AttributeRepeated = "VF-310", Wrong, "a signed attribute stands there more than once, or has not exactly one value", "签名属性重复，或其值不是恰好一个";
    SigningCertificateOther = "VF-311", Wrong, "the message was signed for another certificate than the one it names", "消息所签的证书与其指明的证书不符";
    SigningCertificateAbsent = "VF-312", Info, "the signed attributes do not name the certificate (signing-certificate-v2)", "签名属性未指明证书（signing-certificate-v2）";
    ContentIsAttributes = "VF-313", Wrong, "what was signed is what another format signs (attributes of a CMS message, a SignedInfo, a 179 string): the signature may have been made for that", "被签名的内容属于另一种格式（CMS 签名属性、SignedInfo、179 字符串）：该签名可能是为其所作";
    NoAttributes = "VF-314", Info, "the document is signed without attributes: neither time nor certificate is signed", "签名不含属性：时间和证书均未被签名";
    UnsignedAttributes = "VF-315", Info, "the message has unsigned attributes, which are not looked at", "消息含有未签名属性，未予采信";
    SigningTime = "VF-316", Info, "the signer gave this time", "签名人给出的时间";
    SigningTimeOutside = "VF-317", Warning, "the certificate was not valid at the time that the signer gave", "签名人给出的时间不在证书有效期内";
    VersionOther = "VF-318", Warning, "the version numbers of the message are not those of RFC 5652", "消息的版本号不符合 RFC 5652";
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which.
    pub kind: FindingKind,
    /// What exactly, in a few words; no personal data.
    pub detail: Option<String>,
    /// What was expected.
    pub expected: Option<String>,
    /// What was found.
    pub found: Option<String>,
    /// Where.
    pub place: Option<Place>,
}

impl Finding {
    /// A finding with nothing more to say than its kind.
    #[must_use]
    pub fn new(kind: FindingKind) -> Self {
        Finding { kind, detail: None, expected: None, found: None, place: None }
    }

    /// Adds what exactly.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what was expected and what was found.
    #[must_use]
    pub fn compared(mut self, expected: impl Into<String>, found: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.found = Some(found.into());
        self
    }

    /// Adds where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.code(), self.kind.text())?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        if let (Some(expected), Some(found)) = (&self.expected, &self.found) {
            write!(f, "; expected {expected}, found {found}")?;
        }
        if let Some(place) = self.place {
            write!(f, " at line {}, octet {}", place.line, place.offset)?;
        }
        Ok(())
    }
}
