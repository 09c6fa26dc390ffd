//! Documents that are, as they stand, what another format signs: a signature over them alone would pass as one of that format. A raw
//! signature and a CMS message without signed attributes are such signatures, so both refuse them, to sign and to verify.

/// As much of a document's beginning as [`stands_for`] looks at.
pub(super) const START: usize = 256;

/// Announcement 179's.
pub(super) const STRING_179: Named = ("the signing string of announcement 179", "第179号公告的签名字符串");

/// What a document is, in English and Chinese.
pub(super) type Named = (&'static str, &'static str);

/// What a document of `length` octets is, by its first [`START`] ones, that another format signs.
pub(super) fn stands_for(start: &[u8], length: u64) -> Option<Named> {
    if is_attributes(start, length) {
        return Some(("a set of signed attributes of a CMS message", "CMS 消息的签名属性集合"));
    }
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.strip_prefix('<').is_some_and(is_signed_info) {
        return Some(("the SignedInfo of an XML signature", "XML 签名的 SignedInfo"));
    }
    text.starts_with("\"sessionID\":").then_some(STRING_179)
}

/// Whether this element's local name is SignedInfo. A prefix may have any length: where the name does not end in what is looked at, it
/// may be that one, and no honest document has such a name.
fn is_signed_info(tag: &str) -> bool {
    match tag.split_once([' ', '\t', '\r', '\n', '>', '/']) {
        Some((name, _)) => name.rsplit(':').next() == Some("SignedInfo"),
        None => {
            tag.len() > START / 2 && tag.chars().all(|c| !c.is_ascii() || c.is_alphanumeric() || "-._:".contains(c))
        }
    }
}

/// Whether a document is a SET OF attributes as a whole.
///
/// The signature of a message with signed attributes is made over such a set. Somebody may cut the attributes out and present them as
/// the content of a message without any: its signature is then right (RFC 5652 §5.4 makes both from the same octets). Text that
/// begins with the digit 1 (0x31) is not meant: the length must fit, and a SEQUENCE with an object identifier must follow. Lengths are
/// read as BER: not every verifier insists on DER.
fn is_attributes(start: &[u8], length: u64) -> bool {
    let Some((said, content)) = (start.first() == Some(&0x31)).then(|| header(start)).flatten() else { return false };
    let header = u64::try_from(start.len().saturating_sub(content.len())).unwrap_or(u64::MAX);
    let whole = said.is_none_or(|l| u64::try_from(l).is_ok_and(|l| l.saturating_add(header) == length));
    whole && sequence_of_oid(content)
}

/// A BER header: what the length field says, or `None` for the indefinite form, and what follows the header.
pub(super) fn header(octets: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let [_, first, rest @ ..] = octets else { return None };
    match *first {
        short @ 0..=0x7F => Some((Some(usize::from(short)), rest)),
        0x80 => Some((None, rest)),
        0xFF => None,
        long => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7F))?;
            let value = length.iter().try_fold(0_usize, |v, o| v.checked_mul(256)?.checked_add(usize::from(*o)));
            Some((Some(value.unwrap_or(usize::MAX)), rest))
        }
    }
}

/// SEQUENCE { OBJECT IDENTIFIER …: an attribute (RFC 5652 §5.3), or the AlgorithmIdentifier of a DigestInfo (RFC 8017 §9.2).
pub(super) fn sequence_of_oid(content: &[u8]) -> bool {
    matches!(content, [0x30, ..]) && header(content).is_some_and(|(_, inner)| matches!(inner, [0x06, ..]))
}
