//! Remarks on a signature that was made.

/// Something that the caller should know although the signature was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The key is RSA-1024: old e-port cards hold it; it is weak.
    WeakKey {
        /// Modulus in bits.
        bits: usize,
    },
    /// SHA-1, because the customs profile asks for it.
    Sha1,
    /// Made under a test profile: customs does not take it.
    TestProfile,
    /// The certificate ends soon.
    ExpiresSoon {
        /// Whole days left.
        days: u64,
    },
    /// The certificate was not valid at the time; the caller asked for it.
    OutsideValidity,
    /// The device says of itself that it is a simulator: the key is in software, and its owner is nobody.
    Simulator,
    /// The device did not take the end of a login: one may be open on it, and then any program signs without a PIN until it is pulled out.
    LoginLeft,
    /// The message names another company than the certificate's: the caller allowed it, or it is not known that customs minds.
    DeclarantOther,
    /// The companies' names differ in the width of letters or brackets, or in white space.
    DeclarantSpelling,
    /// The companies could not be compared: a field is missing, or the codes are of different kinds.
    DeclarantUnchecked,
    /// The message is a draft (appStatus 1), for which customs asks for no signature.
    Draft,
    /// Nothing is known of this message type.
    MessageUnknown,
    /// A signature that stood in the document was taken out and this one put in.
    SignatureReplaced,
    /// The algorithm identifiers are inferred from the words of the edition of 2018.
    IdentifiersInferred,
    /// The legal person's card signed what an operator's card is for.
    LegalPersonCard,
}

impl Note {
    /// The note in one English sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Note::WeakKey { bits } => format!("the key is RSA-{bits}, which is weak: renew the certificate"),
            Note::Sha1 => "SHA-1 is used because the customs format asks for it".to_owned(),
            Note::TestProfile => "made under a test profile: customs does not accept it".to_owned(),
            Note::ExpiresSoon { days } => format!("the certificate expires in {days} days: renew it"),
            Note::OutsideValidity => {
                "the certificate was not valid at the time of signing, as the caller allowed".to_owned()
            }
            Note::Simulator => {
                "made by a simulator: the key is in software, so the signature proves nothing".to_owned()
            }
            Note::LoginLeft => {
                "a login on the shield could not be ended: pull the shield out, or other programs may sign without a PIN"
                    .to_owned()
            }
            Note::DeclarantOther => {
                "the message names another company than the certificate: customs may refuse it".to_owned()
            }
            Note::DeclarantSpelling => {
                "the company is written with other letters, brackets or spaces than in the certificate".to_owned()
            }
            Note::DeclarantUnchecked => "the declarant could not be compared with the certificate's company".to_owned(),
            Note::Draft => "the message is a draft (appStatus 1): customs asks for no signature on it".to_owned(),
            Note::MessageUnknown => "nothing is known of this message type".to_owned(),
            Note::SignatureReplaced => "the signature that stood in the document was replaced".to_owned(),
            Note::LegalPersonCard => {
                "this is the legal person's card: the service wants an operator's card here".to_owned()
            }
            Note::IdentifiersInferred => {
                "the algorithm identifiers are inferred and never seen in use: customs may refuse them".to_owned()
            }
        }
    }

    /// The note in one Chinese sentence.
    #[must_use]
    pub fn text_zh(&self) -> String {
        match self {
            Note::WeakKey { bits } => format!("密钥为 RSA-{bits}，强度不足：请更新证书"),
            Note::Sha1 => "按海关格式要求使用 SHA-1".to_owned(),
            Note::TestProfile => "使用测试配置生成：海关不接受".to_owned(),
            Note::ExpiresSoon { days } => format!("证书将于 {days} 天后到期：请更新"),
            Note::OutsideValidity => "经调用方允许，签名时证书不在有效期内".to_owned(),
            // Its own word for itself stands in the Chinese text too, for whoever searches for it.
            Note::Simulator => "由模拟器（simulator）生成：密钥在软件中，签名不具证明力".to_owned(),
            Note::LoginLeft => "共享盾上的登录未能结束：请拔出共享盾，否则其他程序可能无需口令即可签名".to_owned(),
            Note::DeclarantOther => "报文所载单位与证书不一致：海关可能退单".to_owned(),
            Note::DeclarantSpelling => "申报单位的全半角、括号或空格与证书不一致".to_owned(),
            Note::DeclarantUnchecked => "无法核对申报单位与证书所属单位".to_owned(),
            Note::Draft => "报文为暂存（appStatus 1）：海关不要求签名".to_owned(),
            Note::MessageUnknown => "未知的报文类型".to_owned(),
            Note::SignatureReplaced => "已替换文档中原有的签名".to_owned(),
            Note::LegalPersonCard => "此为法人卡：该业务应使用操作员卡".to_owned(),
            Note::IdentifiersInferred => "算法标识为推断所得，未见实际使用：海关可能不接受".to_owned(),
        }
    }
}
