//! Names: where the parser is more generous than Namespaces in XML 1.0 (clauses 2 to 4) and Canonical XML 1.0 are.

use uppsala::QName;

use super::fault::FaultKind;
use super::limits::MAX_NAME;

/// `prefix:local`, both without another colon, and a local part that may begin a name.
pub(super) fn qualified(name: &QName<'_>) -> Result<(), FaultKind> {
    let prefix = name.prefix.as_deref().unwrap_or_default();
    let local = name.local_name.as_ref();
    if local.len() > MAX_NAME || prefix.len() > MAX_NAME {
        return Err(FaultKind::TooMany);
    }
    if local.contains(':') || local.starts_with(not_first) || prefix == "xmlns" {
        return Err(FaultKind::Namespace);
    }
    Ok(())
}

/// Of the characters that a name may hold, those that it may not begin with (XML 1.0, productions 4 and 4a).
fn not_first(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// An ASCII name without a colon.
pub(super) fn simple(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A namespace declaration whose canonical form all canonicalisers agree about.
///
/// Canonical XML 1.0, clause 1.3, leaves relative namespace names undefined and libxml2 refuses them; libxml2 writes
/// `&` in a namespace name unescaped, which the Recommendation does not ask for. Neither occurs in customs messages.
pub(super) fn declaration(prefix: &str, uri: &str) -> Result<(), FaultKind> {
    if prefix.len() > MAX_NAME || uri.len() > MAX_NAME {
        return Err(FaultKind::TooMany);
    }
    match (prefix.is_empty(), uri.is_empty()) {
        (true, true) => Ok(()),
        // Namespaces in XML 1.0, clause 2.2: only the default namespace can be taken back.
        (false, true) => Err(FaultKind::Namespace),
        _ if absolute(uri) => Ok(()),
        _ => Err(FaultKind::NamespaceUri),
    }
}

/// RFC 3986 with a scheme, and narrower than it: no user information, no bracketed host, no `&`.
fn absolute(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let (body, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let path = match body.strip_prefix("//") {
        Some(after) => {
            let (host, path) = after.find(['/', '?']).map_or((after, ""), |at| after.split_at(at));
            if !authority(host) {
                return false;
            }
            path
        }
        None => body,
    };
    scheme_ok && !body.is_empty() && characters(path) && characters(fragment)
}

fn authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
        && (1..=5).contains(&port.len())
        && port.chars().all(|c| c.is_ascii_digit())
}

fn characters(text: &str) -> bool {
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let fits = match octet {
            b'%' => {
                rest.next().is_some_and(|h| h.is_ascii_hexdigit()) && rest.next().is_some_and(|h| h.is_ascii_hexdigit())
            }
            _ => octet.is_ascii_alphanumeric() || b"-._~:/?@!$'()*+,;=".contains(&octet),
        };
        if !fits {
            return false;
        }
    }
    true
}
