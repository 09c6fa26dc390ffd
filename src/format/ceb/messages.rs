//! The messages of the cross-border system: who signs which (manual::customs §1.2, §1.8), as data.

/// Whether a message has a Signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureRule {
    /// The field tables of SPEC 202205 ask for it.
    Mandatory,
    /// They allow it.
    Optional,
    /// Customs sends this message; no company signs it.
    Never,
}

/// The fields that name the company which has to sign, and what customs makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declarant {
    /// Local name of the element with its code.
    pub code: &'static str,
    /// Local name of the element with its name.
    pub name: &'static str,
    /// Whether it is the declaring unit (申报单位): then another company's certificate is refused. Otherwise it is the company that the schema
    /// names as sender, and a difference is a note in the receipt, because it is not known what customs does with it.
    pub declares: bool,
    /// The code that customs answers with when the certificate is of another company, where that is known (SPEC 202205 §7).
    pub answer: Option<&'static str>,
}

/// One message type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The number in its name: 621 for `CEB621Message`.
    pub number: u16,
    /// What it is, in English.
    pub title: &'static str,
    /// What it is, in Chinese.
    pub title_zh: &'static str,
    /// Whether it is signed.
    pub signature: SignatureRule,
    /// Who has to sign it; `None` where several companies may, or where no field is known to tell.
    pub declarant: Option<Declarant>,
}

use SignatureRule::{Mandatory, Never, Optional};

const fn declarant(
    code: &'static str,
    name: &'static str,
    declares: bool,
    answer: Option<&'static str>,
) -> Option<Declarant> {
    Some(Declarant { code, name, declares, answer })
}

/// The declaring unit, which customs compares with the certificate.
const fn agent(answer: Option<&'static str>) -> Option<Declarant> {
    declarant("agentCode", "agentName", true, answer)
}

const LOGISTICS: Option<Declarant> = declarant("logisticsCode", "logisticsName", false, None);
const OPERATOR: Option<Declarant> = declarant("operatorCode", "operatorName", false, None);

const fn row(
    number: u16,
    title: &'static str,
    title_zh: &'static str,
    signature: SignatureRule,
    declarant: Option<Declarant>,
) -> Message {
    Message { number, title, title_zh, signature, declarant }
}

/// Every message type that is known, by number.
///
/// The signature rules are those of manual::customs §1.2; senders and field names are those of the schema that belongs to SPEC 202205; the answers
/// are those of §1.8. Orders (303, 311) and payments (403, 411) may be sent by one of several companies, so no field tells who signs.
pub static MESSAGES: [Message; 42] = [
    row(213, "export refund application", "出口退货申请单", Optional, agent(None)),
    row(214, "receipt for 213", "出口退货申请单回执", Never, None),
    row(215, "export refund arrival list", "出口退货明细单", Optional, OPERATOR),
    row(216, "receipt for 215", "出口退货明细单回执", Never, None),
    row(303, "export order", "出口电子订单", Optional, None),
    row(304, "receipt for 303", "出口电子订单回执", Never, None),
    row(311, "import order", "进口电子订单", Optional, None),
    row(312, "receipt for 311", "进口电子订单回执", Never, None),
    row(403, "export proceeds", "收款单", Optional, None),
    row(404, "receipt for 403", "收款单回执", Never, None),
    row(411, "import payment", "支付凭证", Optional, None),
    row(412, "receipt for 411", "支付凭证回执", Never, None),
    row(505, "export waybill", "出口物流运单", Optional, LOGISTICS),
    row(506, "receipt for 505", "出口物流运单回执", Never, None),
    row(507, "export arrival list", "运抵单", Optional, None),
    row(508, "receipt for 507", "运抵单回执", Never, None),
    row(509, "export departure list", "离境单", Mandatory, LOGISTICS),
    row(510, "receipt for 509", "离境单回执", Never, None),
    row(511, "import waybill", "进口物流运单", Optional, LOGISTICS),
    row(512, "receipt for 511", "进口物流运单回执", Never, None),
    row(513, "import waybill state", "物流运单状态", Optional, LOGISTICS),
    row(514, "receipt for 513", "物流运单状态回执", Never, None),
    row(603, "export inventory list", "出口清单", Mandatory, agent(None)),
    row(604, "receipt for 603", "出口清单回执", Never, None),
    row(605, "export cancellation", "出口撤销申请单", Mandatory, agent(None)),
    row(606, "receipt for 605", "出口撤销申请单回执", Never, None),
    row(607, "export master and house bills", "清单总分单", Mandatory, agent(None)),
    row(608, "receipt for 607", "清单总分单回执", Never, None),
    row(621, "import inventory list", "进口清单", Mandatory, agent(Some("-621015"))),
    row(622, "receipt for 621", "进口清单回执", Never, None),
    row(623, "import cancellation", "进口撤销申请单", Mandatory, agent(None)),
    row(624, "receipt for 623", "进口撤销申请单回执", Never, None),
    row(625, "import refund application", "进口退货申请单", Mandatory, agent(Some("-625013"))),
    row(626, "receipt for 625", "进口退货申请单回执", Never, None),
    row(701, "export summary application", "汇总申请单", Mandatory, agent(None)),
    row(702, "receipt for 701", "汇总申请单回执", Never, None),
    row(711, "import delivery list", "入库明细单", Mandatory, OPERATOR),
    row(712, "receipt for 711", "入库明细单回执", Never, None),
    row(792, "export summary result", "汇总结果单", Never, None),
    row(816, "electronic tax bill", "电子税单", Never, None),
    row(818, "electronic tax bill state", "电子税单状态", Never, None),
    row(900, "format check", "报文格式校验回执", Never, None),
];

impl Message {
    /// The message type with this number, if it is known.
    #[must_use]
    pub fn by_number(number: u16) -> Option<&'static Message> {
        MESSAGES.iter().find(|message| message.number == number)
    }
}
