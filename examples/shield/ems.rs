//! `sign-ems` and `sign-digest`: what has no file of its own; the signature goes to stdout.

use serde_json::json;
use shared_shield::format::ems::Field;
use shared_shield::{Digest, DigestAlgorithm, Error, ErrorKind, Note, Request, Result, Role};

use crate::args::{Global, Signing};
use crate::args_ceb::{SignDigest, SignEms};
use crate::exit::Exit;
use crate::pin::{Asker, Tells};
use crate::screen::Screen;
use crate::single::{Single, in_words};
use crate::verify::read;
use crate::words;

/// The largest file of fields, in octets.
const FIELDS_MAX: usize = 1024 * 1024;

pub(crate) fn ems(global: &Global, args: &SignEms, screen: &Screen) -> Result<Exit> {
    let pairs = match &args.fields {
        Some(path) => pairs(&read(path, FIELDS_MAX)?)?,
        None => args.field.clone(),
    };
    let fields: Vec<Field<'_>> = pairs.iter().map(|(name, value)| Field { name, value }).collect();
    let request = Request::ems(&fields)?;
    sign(global, &args.signing, screen, request, args.json, "EMS 表单")
}

pub(crate) fn digest(global: &Global, args: &SignDigest, screen: &Screen) -> Result<Exit> {
    let digest = Digest::new(DigestAlgorithm::from(args.algorithm), &octets(&args.digest)?)?;
    let request = Request::digest_computed_elsewhere(Role::from(args.role), digest);
    sign(global, &args.signing, screen, request, args.json, "摘要（无法得知其内容）")
}

fn sign(
    global: &Global,
    signing: &Signing,
    screen: &Screen,
    request: Request,
    as_json: bool,
    zh: &str,
) -> Result<Exit> {
    let tells = if as_json { Tells::Stderr } else { Tells::Stdout };
    let mut asker = Asker::new(&signing.pin, screen)?.telling(tells);
    let single = Single { global, signing, screen };
    let (shield, request) = single.reach(request)?;
    let request = in_words(&shield, request, screen, zh)?;
    let mut written = Vec::new();
    let receipt = single.tried(&shield, request.role(), || {
        asker.run(signing.consent(), |prompt, consent| {
            written.clear();
            shield.sign(request.clone().consent(consent), prompt, &global.wait(), &mut written)
        })
    })?;
    let defect = |_| Error::new(ErrorKind::Defect, "print signature");
    let value = String::from_utf8(written).map_err(|e| defect(e.utf8_error()))?;
    if as_json {
        let notes: Vec<_> = receipt.notes.iter().map(Note::text).collect();
        screen.json(&json!({ "certNo": receipt.number, "signature": value, "notes": notes }));
        return Ok(Exit::Done);
    }
    screen.line(format!("certNo: {}", receipt.number));
    screen.line(format!("signature: {value}"));
    let facts = words::receipt(&receipt, screen.lang);
    screen.note(screen.lang.pick(format!("signed: {facts}"), format!("已签名：{facts}")));
    Ok(Exit::Done)
}

fn pairs(json: &[u8]) -> Result<Vec<(String, String)>> {
    // Some editors put a byte order mark before the text, as in a manifest and in a message.
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    serde_json::from_slice(json).map_err(|e| {
        Error::new(ErrorKind::JsonMalformed, "read fields")
            .detail(format!("an array of [\"NAME\", \"VALUE\"] is asked for: {e}"))
    })
}

fn octets(hex: &str) -> Result<Vec<u8>> {
    let wrong = || Error::new(ErrorKind::Argument, "read digest").detail("hex digits, two for each octet");
    let digits: Vec<u8> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or_else(wrong))
        .collect::<Result<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if rest.is_empty() { Ok(pairs.iter().map(|[h, l]| h << 4 | l).collect()) } else { Err(wrong()) }
}
