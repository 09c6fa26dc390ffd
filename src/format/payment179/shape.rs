//! The fields of announcement 179 as one table: names, order, types and rules (manual::customs §2.1).

/// What a text has to be beside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Any text that all JSON writers write alike.
    Free,
    /// `sessionID`: it stands in the string outside of any JSON, where nothing can be escaped.
    Plain,
    /// `guid`: upper case.
    Upper,
    /// `serviceTime`: milliseconds since 1970, 13 digits.
    Millis,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text(Rule),
    Number,
    Object(&'static [Field]),
    /// An array of objects.
    Array(&'static [Field]),
}

impl Shape {
    pub(super) fn wanted(self) -> (&'static str, &'static str) {
        match self {
            Shape::Text(_) => ("text in quotes", "带引号的文本"),
            Shape::Number => ("a number without quotes", "不带引号的数字"),
            Shape::Object(_) => ("an object", "对象"),
            Shape::Array(_) => ("an array of objects", "对象数组"),
        }
    }
}

/// One field. The order of a table is the order in which its fields are signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Not there in what is still to be signed.
    pub(super) optional: bool,
}

const fn text(name: &'static str) -> Field {
    Field { name, shape: Shape::Text(Rule::Free), optional: false }
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, optional: false }
}

pub(super) const SESSION: &str = "sessionID";
pub(super) const HEAD: &str = "payExchangeInfoHead";
pub(super) const LISTS: &str = "payExchangeInfoLists";
pub(super) const TIME: &str = "serviceTime";
pub(super) const AMOUNT: &str = "totalAmount";
pub(super) const NUMBER: &str = "certNo";
pub(super) const VALUE: &str = "signValue";

/// `initalRequest` and `initalResponse` are the official spelling.
pub(super) const HEAD_FIELDS: &[Field] = &[
    field("guid", Shape::Text(Rule::Upper)),
    text("initalRequest"),
    text("initalResponse"),
    text("ebpCode"),
    text("payCode"),
    text("payTransactionId"),
    field(AMOUNT, Shape::Number),
    text("currency"),
    text("verDept"),
    text("payType"),
    text("tradingTime"),
    text("note"),
];

const GOODS_FIELDS: &[Field] = &[text("gname"), text("itemLink")];

pub(super) const LIST_FIELDS: &[Field] = &[
    text("orderNo"),
    field("goodsInfo", Shape::Array(GOODS_FIELDS)),
    text("recpAccount"),
    text("recpCode"),
    text("recpName"),
];

/// What is posted. The first four are signed; the last two come from signing.
pub(super) const FIELDS: &[Field] = &[
    field(SESSION, Shape::Text(Rule::Plain)),
    field(HEAD, Shape::Object(HEAD_FIELDS)),
    field(LISTS, Shape::Array(LIST_FIELDS)),
    field(TIME, Shape::Text(Rule::Millis)),
    Field { name: NUMBER, shape: Shape::Text(Rule::Free), optional: true },
    Field { name: VALUE, shape: Shape::Text(Rule::Free), optional: true },
];
