//! The fixed table of error kinds: number, recovery, sentence in English and Chinese.
//!
//! A number is never renumbered and never reused. `{role}` and `{office}` are filled in from the error.

use super::Recovery;

/// One row.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) recovery: Recovery,
    pub(crate) en: &'static str,
    pub(crate) zh: &'static str,
}

impl ErrorKind {
    /// Its number; the first hex digit is its range (see [`crate::manual::errors`]).
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The short code to read over the phone, such as `SH-2003`.
    #[must_use]
    pub fn code(self) -> String {
        format!("SH-{:04X}", self as u32)
    }
}

kinds! {
    // 1xxx: reaching a shield
    Busy = 0x1001, CloseOtherProgram,
        "The shield is in use by another job or program: let it finish, or close it, and try again.",
        "共享盾正被其他任务或程序使用：请等待其完成或将其关闭后重试。";
    Cancelled = 0x1002, Retry,
        "The job was cancelled.",
        "操作已取消。";
    Timeout = 0x1003, Retry,
        "The shield did not answer in time: the job under way is abandoned, so check the shield's light and try again.",
        "共享盾未在规定时间内应答：当前任务已放弃，请检查指示灯后重试。";
    NoShield = 0x1004, InsertShield,
        "No shield was found: plug it in and check that its driver is named.",
        "未找到共享盾：请插入共享盾，并确认已指定其驱动。";
    SeveralShields = 0x1005, FixDocument,
        "Several shields fit: name one by entity code, card number or certificate fingerprint.",
        "有多个共享盾符合：请用单位代码、卡号或证书指纹指定其中一个。";
    ModuleNotFound = 0x1010, InstallDriver,
        "The driver file (PKCS#11 module) is not there: install the driver or correct the path.",
        "找不到驱动文件（PKCS#11 模块）：请安装驱动或更正路径。";
    NotAModule = 0x1011, InstallDriver,
        "The file is not a PKCS#11 module for this system: name the vendor's PKCS#11 library.",
        "该文件不是适用于本系统的 PKCS#11 模块：请指定厂商的 PKCS#11 库。";
    ModuleFailed = 0x1012, InstallDriver,
        "The driver could not be started: check its configuration or install it again.",
        "驱动无法启动：请检查其配置或重新安装。";
    TokenNotInitialised = 0x1013, UnlockAtIssuer(Option::None),
        "The token is not initialised: it holds no PIN and no certificate until {office} has issued it.",
        "该介质尚未初始化：需由{office}制发后才有口令和证书。";
    TokenFailed = 0x1014, InsertShield,
        "The shield stopped working or was pulled out: plug it in again and repeat.",
        "共享盾停止工作或已被拔出：请重新插入后再试。";
    TokenAnswer = 0x1015, InstallDriver,
        "The shield or its driver gave an answer that makes no sense: nothing was used of it, update the driver.",
        "共享盾或其驱动返回了无效的应答：未采用任何内容，请更新驱动。";
    PathNotAbsolute = 0x1016, FixDocument,
        "A driver is named by its absolute path only: give the full path.",
        "驱动只能用绝对路径指定：请给出完整路径。";
    Forked = 0x1017, None,
        "This process was forked after the driver was started: scan again in the new process.",
        "驱动启动后进程已被复制（fork）：请在新进程中重新扫描。";

    // 102x: cards and keys over PC/SC
    ServiceStopped = 0x1020, StartPcscd,
        "The smart-card service is not running: start it (on Linux pcscd, on Windows the service Smart Card) and try again.",
        "智能卡服务未运行：请启动该服务（Linux 为 pcscd，Windows 为 Smart Card）后重试。";
    ServiceRefused = 0x1021, AskAdministrator,
        "The system does not let this program use the smart-card service: ask its administrator for the right (polkit rule, group or sandbox setting).",
        "系统不允许本程序使用智能卡服务：请让管理员授予权限（polkit 规则、用户组或沙箱设置）。";
    ServiceFull = 0x1022, CloseOtherProgram,
        "The smart-card service takes no more connections: close programs that use it and try again.",
        "智能卡服务的连接数已满：请关闭正在使用它的程序后重试。";
    ServiceMissing = 0x1023, InstallDriver,
        "This computer has no PC/SC library: install it (Debian: pcscd and libpcsclite1), or use a PKCS#11 module.",
        "本机没有 PC/SC 库：请安装（Debian：pcscd 和 libpcsclite1），或使用 PKCS#11 模块。";
    NoReader = 0x1024, InsertShield,
        "No card reader and no USB key is connected: plug it in.",
        "未连接读卡器或 USB Key：请插入。";
    ReaderBusy = 0x1025, CloseOtherProgram,
        "Another program holds the reader for itself alone: let it finish or close it, and try again.",
        "其他程序正独占读卡器：请等待其完成或将其关闭后重试。";
    CardMute = 0x1026, InsertShield,
        "The card in the reader does not answer: take it out, look at its contacts, and plug it in again.",
        "读卡器中的卡没有应答：请取出检查触点后重新插入。";
    CardUnknown = 0x1027, InstallDriver,
        "The card is of a kind that this program does not know: name the vendor's driver (PKCS#11 module) for it.",
        "本程序不认识这种卡：请为其指定厂商驱动（PKCS#11 模块）。";
    CardApplication = 0x1028, InsertShield,
        "The card does not have the application that was expected on it: plug in the right card.",
        "卡上没有所需的应用：请插入正确的卡。";
    CardRemoved = 0x1029, InsertShield,
        "The shield was pulled out: plug it in again and repeat.",
        "共享盾已被拔出：请重新插入后再试。";
    DialectMissing = 0x102A, AskAdministrator,
        "It is not known in which form this device takes a PIN, so none was sent and no try was used: have its dialect named in the profile, as its maker describes it, or use its maker's driver.",
        "不清楚此设备以何种方式接收口令，未发送口令，未消耗次数：请按厂商说明在配置文件中指定其方言，或使用厂商驱动。";
    DialectUnproven = 0x102B, AskAdministrator,
        "This device has never accepted a PIN in the form (dialect) that the profile names, so none was sent and no try was used: with three tries or more left, say explicitly that it may be tried.",
        "此设备从未以配置文件所指定的方式（方言）接受过口令，未发送口令，未消耗次数：剩余至少三次时，可明确同意试用。";
    DeviceInfo = 0x102C, InstallDriver,
        "The device describes itself in a form that is not that of GM/T 0017: name the vendor's driver for it.",
        "设备信息不符合 GM/T 0017：请为其指定厂商驱动。";
    StateFile = 0x102D, FixDocument,
        "The simulator's state file cannot be used: name one that was made for it, and let one program at a time use it.",
        "模拟器的状态文件不可用：请指定为其生成的文件，且同一时间只能由一个程序使用。";

    // 2xxx: PINs
    PinIncorrect = 0x2001, EnterPin(Option::None),
        "The {role} PIN is wrong: check which of the two PINs is asked for before entering it again.",
        "{role}口令不正确：再次输入前请确认要求的是哪一个口令。";
    PinLocked = 0x2002, UnlockAtIssuer(Option::None),
        "The {role} PIN is locked: {office} can unlock it, and the other certificate is not affected.",
        "{role}口令已锁定：请到{office}解锁，另一张证书不受影响。";
    LastTry = 0x2003, UnlockAtIssuer(Option::None),
        "Only one try is left for the {role} PIN and it was not spent: if you are sure of the PIN say so explicitly, otherwise ask {office}.",
        "{role}口令只剩最后一次机会，未使用：如确信口令正确请明确确认，否则请联系{office}。";
    PinRequired = 0x2004, EnterPin(Option::None),
        "The {role} PIN is needed: enter it.",
        "需要{role}口令：请输入。";
    PinEmpty = 0x2005, EnterPin(Option::None),
        "The {role} PIN is empty: enter it, nothing was sent to the shield.",
        "{role}口令为空：请输入，未向共享盾发送任何内容。";
    PinLength = 0x2006, EnterPin(Option::None),
        "The {role} PIN has a length that the shield does not take: enter it again, no try was used.",
        "{role}口令长度不符合要求：请重新输入，未消耗次数。";
    PinEncoding = 0x2007, EnterPin(Option::None),
        "The {role} PIN holds characters that a PIN cannot have: enter it again, no try was used.",
        "{role}口令含有不允许的字符：请重新输入，未消耗次数。";
    PinDeclined = 0x2008, EnterPin(Option::None),
        "No {role} PIN was entered: nothing was signed.",
        "未输入{role}口令：未进行签名。";
    LoginHeldByHost = 0x2009, CloseOtherProgram,
        "Another part of this program is already logged in to the token, so the {role} PIN could not be checked: let it log out first.",
        "本程序的其他部分已登录该介质，无法核对{role}口令：请先将其退出登录。";
    PinRole = 0x200A, EnterPin(Option::None),
        "The PIN was entered for the other certificate and was not sent: enter the {role} PIN.",
        "输入的口令属于另一张证书，未发送：请输入{role}口令。";
    TriesUnknown = 0x200B, EnterPin(Option::None),
        "A {role} PIN was refused before and the shield does not tell how many tries are left: say explicitly that you want to try again.",
        "之前的{role}口令被拒绝，且共享盾不显示剩余次数：如要再试请明确确认。";
    PinNotSet = 0x200C, UnlockAtIssuer(Option::None),
        "The {role} PIN has not been set on this token, or has to be changed first: ask {office}.",
        "该介质尚未设置{role}口令，或须先修改：请联系{office}。";
    SessionEnded = 0x200D, EnterPin(Option::None),
        "The unlocked batch for the {role} certificate has ended by its policy, by idleness or after a refused PIN: unlock again.",
        "{role}证书的批量授权已因策略、空闲或口令被拒而结束：请重新解锁。";
    LoginFailed = 0x200E, EnterPin(Option::None),
        "The token did not take the {role} login and gave a code of its own: it may have counted as a wrong PIN, so be sure of the PIN before trying again.",
        "介质未接受{role}登录并返回了自有代码：可能已计为一次口令错误，请确认口令后再试。";
    PukIncorrect = 0x200F, EnterPin(Option::None),
        "The unlock code (PUK) is wrong: check it before entering it again, a wrong one uses up one of its own tries.",
        "解锁码（PUK）不正确：再次输入前请核对，输错会消耗解锁码自身的次数。";
    PukLocked = 0x2010, UnlockAtIssuer(Option::None),
        "The unlock code (PUK) is locked, so the {role} PIN cannot be unlocked with it: ask {office}.",
        "解锁码（PUK）已锁定，无法用其解锁{role}口令：请联系{office}。";
    NewPinRefused = 0x2011, ChooseNewPin,
        "The shield does not take the new {role} PIN: choose one of the allowed length and characters, the old one is still in force.",
        "共享盾不接受新的{role}口令：请选择长度和字符符合要求的，原有的仍然有效。";
    AdminKey = 0x2012, None,
        "The administration key of the shield is wrong or was not given: nothing was changed.",
        "共享盾的管理密钥不正确或未提供：未作任何更改。";
    PukLastTry = 0x2013, UnlockAtIssuer(Option::None),
        "Only one try is left for the unlock code (PUK) and it was not spent: a wrong one locks it for good, so say explicitly that you are sure, otherwise ask {office}.",
        "解锁码（PUK）只剩最后一次机会，未使用：输错将永久锁定，如确信正确请明确确认，否则请联系{office}。";

    // 3xxx: certificates and keys
    NoCredential = 0x3001, InsertShield,
        "No usable {role} certificate was found on the shield: plug in the right shield, or see the reasons below.",
        "共享盾中没有可用的{role}证书：请插入正确的共享盾，或查看原因。";
    SeveralCredentials = 0x3002, FixDocument,
        "Several {role} certificates fit: choose one by entity code, card number, fingerprint or place.",
        "有多张{role}证书符合：请用单位代码、卡号、指纹或所在位置选择其中一张。";
    CertificateExpired = 0x3003, RenewCertificate,
        "The {role} certificate has expired: renew it at {office}.",
        "{role}证书已过期：请到{office}更新。";
    CertificateNotYetValid = 0x3004, RenewCertificate,
        "The {role} certificate is not valid yet: check this computer's clock, or wait for its first day.",
        "{role}证书尚未生效：请检查本机时间，或等待生效日。";
    CertificateMalformed = 0x3005, RenewCertificate,
        "A certificate cannot be read: it is damaged or not an X.509 certificate.",
        "证书无法读取：已损坏或不是 X.509 证书。";
    CertificateChanged = 0x3006, InsertShield,
        "The shield no longer holds the {role} certificate that was shown: nothing was signed, scan again.",
        "共享盾中已不是先前显示的{role}证书：未签名，请重新扫描。";
    KeyMissing = 0x3007, UnlockAtIssuer(Option::None),
        "The private key of the {role} certificate is not on the token: ask {office}.",
        "介质中没有{role}证书对应的私钥：请联系{office}。";
    KeyUnsuited = 0x3008, RenewCertificate,
        "The {role} key cannot make this signature: its type or length is not allowed here.",
        "{role}密钥不能用于此签名：类型或长度不允许。";
    KeyMismatch = 0x3009, UnlockAtIssuer(Option::None),
        "The {role} certificate on the shield is not the one of its private key: nothing was written, ask {office}.",
        "共享盾中的{role}证书与其私钥不是一对：未写出任何内容，请联系{office}。";
    KeyMalformed = 0x300A, UnlockAtIssuer(Option::None),
        "The {role} public key that the shield shows cannot be one: nothing was done with it, ask {office}.",
        "共享盾给出的{role}公钥无效：未使用，请联系{office}。";
    CrlMalformed = 0x300B, FixDocument,
        "A revocation list cannot be used: it is damaged, no CRL, or of a form whose scope cannot be told, so fetch the whole list from its authority again.",
        "吊销列表（CRL）无法使用：已损坏、不是 CRL，或其形式无法判断范围，请从签发机构重新获取完整列表。";
    RoleMismatch = 0x3010, FixDocument,
        "The request belongs to the other certificate: nothing was signed, use the {role} certificate for it.",
        "该请求不属于此证书：未签名，请使用{role}证书。";

    // 4xxx: documents
    DocumentMalformed = 0x4001, FixDocument,
        "The document is not well-formed: correct it at the place named.",
        "文档格式不正确：请在所示位置更正。";
    DocumentDtd = 0x4002, FixDocument,
        "The document has a DTD or declares entities, which is refused: remove the DOCTYPE.",
        "文档含有 DTD 或实体声明，已拒绝：请删除 DOCTYPE。";
    DocumentTooDeep = 0x4003, FixDocument,
        "The document is nested too deeply: it is no customs message.",
        "文档嵌套过深：不是海关报文。";
    DocumentTooLarge = 0x4004, FixDocument,
        "The document is larger than this format allows: split it.",
        "文档超过该格式允许的大小：请拆分。";
    DocumentEncoding = 0x4005, FixDocument,
        "The document's character encoding is not supported: save it as UTF-8.",
        "不支持该文档的字符编码：请保存为 UTF-8。";
    DocumentSigned = 0x4006, FixDocument,
        "The document is signed already: sign the unsigned original, or, if it is a customs message, ask for its signature to be replaced.",
        "文档已签名：请使用未签名的原文；如为海关报文，也可要求替换其签名。";
    DocumentKind = 0x4007, FixDocument,
        "The document is not a message of this format.",
        "文档不是该格式的报文。";
    DocumentAmbiguous = 0x4008, FixDocument,
        "The document holds something that verifiers read in different ways, so it is not signed: correct it at the place named.",
        "文档含有不同验签程序理解不一致的内容，未签名：请在所示位置更正。";
    DocumentChanged = 0x4009, Retry,
        "The document changed while it was being signed: nothing was written, try again.",
        "签名过程中文档发生变化：未写出任何内容，请重试。";
    UnsupportedByCustoms = 0x400A, None,
        "Customs does not take such a signature: it takes SM2 keys with the default identifier, and RSA keys where the profile has SHA-1; only a test profile signs with another key.",
        "海关不接受此类签名：海关接受使用默认标识的 SM2 密钥，以及配置允许 SHA-1 时的 RSA 密钥；其他密钥只有测试配置才能使用。";
    DisplayText = 0x400B, FixDocument,
        "The text that the PIN prompt shows is empty, too long, or holds characters that nobody sees: correct it, nothing was signed.",
        "口令提示中显示的文字为空、过长或含有不可见字符：请更正，未进行签名。";
    DeclarantMismatch = 0x400C, FixDocument,
        "The message names another company as its declarant than the certificate: customs would refuse it, so sign with the declarant's certificate or correct the message.",
        "报文的申报单位与证书所属单位不一致，海关会退单：请使用申报单位的证书，或更正报文。";
    MessageNeverSigned = 0x400D, FixDocument,
        "Customs sends this message and no company signs it: give the message that it answers.",
        "该报文由海关发出，企业无需也不应签名：请提供其所回执的报文。";
    IdentifiersUnsuited = 0x400E, FixDocument,
        "The identifier set that was asked for is not for this key, or is for reading alone: choose another one.",
        "所选标识组不适用于此密钥，或仅供读取：请另选。";
    DocumentTwice = 0x400F, FixDocument,
        "The same document stands in the batch under two names, and customs takes a message once: leave one of them out.",
        "同一文档以两个文件名出现在批次中，而海关只接受一次：请去掉其中一个。";

    // 402x: announcement 179
    JsonMalformed = 0x4020, FixDocument,
        "The JSON text is not well-formed: correct it at the place named.",
        "JSON 文本格式不正确：请在所示位置更正。";
    FieldTwice = 0x4021, FixDocument,
        "A field stands twice in one JSON object, which programs read in different ways: keep one of them.",
        "同一 JSON 对象中字段重复，不同程序的理解会不一致：请只保留一个。";
    FieldUnknown = 0x4022, FixDocument,
        "The JSON has a field that announcement 179 does not know: correct its spelling or remove it.",
        "JSON 含有第179号公告没有的字段：请更正拼写或删除。";
    FieldMissing = 0x4023, FixDocument,
        "A field of announcement 179 is missing: add it, with an empty text where there is nothing to say.",
        "缺少第179号公告要求的字段：请补充，无内容时填空文本。";
    FieldType = 0x4024, FixDocument,
        "A field has the wrong type: totalAmount is a number without quotes, the lists are arrays, everything else is text in quotes.",
        "字段类型不正确：totalAmount 为不带引号的数字，列表为数组，其余均为带引号的文本。";
    FieldNumber = 0x4025, FixDocument,
        "A number is not written in plain digits, such as 88.5: an exponent, a leading zero or NaN is refused because it would be signed in a form that is read in different ways.",
        "数字须以普通数字书写，如 88.5：指数、前导零或 NaN 会被不同程序以不同方式读取，已拒绝。";
    FieldValue = 0x4026, FixDocument,
        "A field holds a value that announcement 179 does not allow: correct it.",
        "字段的值不符合第179号公告：请更正。";
    StringNewline = 0x4027, FixDocument,
        "The signing string has a newline at its end, which would be signed with it: remove it.",
        "待签名字符串末尾有换行，会被一并签名：请删除。";
    StringShape = 0x4028, FixDocument,
        "The text is not the signing string of announcement 179 in its exact form: correct it, or give the fields as JSON and let them be put together here.",
        "文本与第179号公告的待签名字符串格式不完全一致：请更正，或改为提供 JSON 字段由本库拼接。";
    // 403x: login
    ChallengeEmpty = 0x4030, FixDocument,
        "The login challenge is empty: give the random that the site sent.",
        "登录随机数为空：请提供网站发送的随机数。";
    ChallengeTooLong = 0x4031, FixDocument,
        "The login challenge is longer than 256 octets, so it is no random of a login page: nothing was signed.",
        "登录随机数超过 256 字节，不是登录页面的随机数：未签名。";
    ChallengeEncoding = 0x4032, FixDocument,
        "The login challenge is not base64: give it as the site sent it, or say that its octets are to be signed as they stand.",
        "登录随机数不是 base64：请按网站发送的原样提供，或声明按原字节签名。";
    ChallengeDocument = 0x4033, Retry,
        "The login challenge begins as a document that a signature could be abused for, so it was not signed: ask the site for a new one, and do not trust a site that sends such a challenge again.",
        "登录随机数的开头是可能被冒用的文档，未签名：请向网站重新获取；若再次出现，请勿信任该网站。";
    // 404x: EMS forms
    FormEmpty = 0x4040, FixDocument,
        "The form has no values, so there is nothing to sign: give its fields.",
        "表单没有任何值，无可签名内容：请提供字段。";
    FormField = 0x4041, FixDocument,
        "The form has too many or too long fields, or a value with characters that nobody sees: correct the field named.",
        "表单字段过多或过长，或值中含有不可见字符：请更正所示字段。";

    // 5xxx: signatures
    SignatureWrong = 0x5001, Retry,
        "The shield made a signature that does not verify with its certificate: nothing was written, try again or have the shield checked.",
        "共享盾生成的签名与证书不符：未写出任何内容，请重试或检测共享盾。";
    SignatureMalformed = 0x5002, FixDocument,
        "The signature cannot be read: it is truncated or not of this format.",
        "签名无法读取：已截断或格式不符。";
    MessageTruncated = 0x5010, FixDocument,
        "The signed message ends before it is complete: get it again.",
        "签名消息不完整：请重新获取。";
    MessageType = 0x5011, FixDocument,
        "The message is CMS of another type, not signed data: give the signed message.",
        "该消息是其他类型的 CMS 消息，不是签名数据：请提供签名消息。";

    // 6xxx: profiles
    ProfileMalformed = 0x6001, FixDocument,
        "The profile cannot be read: correct the place named.",
        "配置文件无法读取：请在所示位置更正。";
    ProfileSchema = 0x6002, FixDocument,
        "The profile has a schema version that this program does not know: update the program or the profile.",
        "配置文件的版本不受支持：请更新程序或配置文件。";
    ProfileKey = 0x6003, FixDocument,
        "The profile has a key that is not known: correct its spelling.",
        "配置文件含有未知的项：请更正拼写。";
    ProfileBuiltin = 0x6004, FixDocument,
        "The profile would replace the built-in roles without saying so: set replace_builtin = true if that is meant.",
        "配置文件会替换内置规则但未声明：如确需替换请设置 replace_builtin = true。";

    // 7xxx: files
    InputFailed = 0x7001, FixDocument,
        "The file cannot be read: check its name and your rights.",
        "文件无法读取：请检查文件名和权限。";
    OutputFailed = 0x7002, Retry,
        "The result cannot be written: what was there before is untouched, check the folder, your rights and the free space.",
        "结果无法写入：原有文件保持不变，请检查目录、权限和剩余空间。";
    JournalForeign = 0x7003, FixDocument,
        "The file is no journal of a batch, or one of another version: name the journal of this batch, or a file that is not there.",
        "该文件不是批量签名日志，或版本不同：请指定本批次的日志，或尚不存在的文件。";
    JournalBusy = 0x7004, CloseOtherProgram,
        "Another run writes into this journal: let it finish, then repeat.",
        "另一个程序正在写入该日志：请等待其完成后重试。";
    JournalFull = 0x7005, FixDocument,
        "The journal of the batch has no room for what is to be done: keep it, and name a new one, which knows of what is done only where the output is still in its place.",
        "批量签名日志已满，无法记录待处理的文档：请保留该日志并指定新的日志文件，新日志只能识别输出仍在原处的文档。";

    // 9xxx: the library itself
    Unsupported = 0x9001, None,
        "This is not supported yet.",
        "暂不支持该功能。";
    Argument = 0x9002, FixDocument,
        "An argument is not allowed here.",
        "参数不允许。";
    Defect = 0x9003, None,
        "The library met a state that it holds to be impossible: please report it with this code.",
        "程序库遇到了不应出现的状态：请附此代码反馈。";
    BufferTooShort = 0x9004, FixDocument,
        "The buffer is too short: the length that it must have was written, call again with such a one.",
        "缓冲区太小：已写出所需长度，请用足够大的缓冲区再次调用。";
    NullPointer = 0x9005, FixDocument,
        "A pointer that must be given is NULL.",
        "必需的指针为 NULL。";
    HandleInvalid = 0x9006, FixDocument,
        "The handle is none that this call takes: it was freed already, is of another kind, or never came from this library.",
        "句柄无效：已释放、类型不符，或并非由本库给出。";
    HandlesUsedUp = 0x9007, FixDocument,
        "Too many objects are in use at one time: free those that are no longer needed.",
        "同时使用的对象过多：请释放不再需要的对象。";
    StructUnknown = 0x9008, FixDocument,
        "An options struct has a size that cannot be, or asks for something that this version of the library does not know.",
        "选项结构的大小无效，或要求了本版本程序库未知的功能。";
    NameLength = 0x9009, FixDocument,
        "A name is longer than the device takes: shorten it.",
        "名称超出设备允许的长度：请缩短。";
}
