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
        }
    }
}
