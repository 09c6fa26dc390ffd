//! `info`: certificates in detail.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared_shield::cert::{EportFields, EportText};
use shared_shield::{Certificate, Error, ErrorKind, Listed, Personal, Reference, Result, Role, Shield};

use crate::args::{Global, Info};
use crate::dialect;
use crate::exit::Exit;
use crate::list;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

pub(crate) fn run(global: &Global, args: &Info, screen: &Screen) -> Result<Exit> {
    let scan = reach::scan(global, args.choice.credential.as_ref())?.scan;
    let now = SystemTime::now();
    let chosen: Vec<_> = scan.shields.iter().map(|s| chosen(s, args)).collect();
    let ask = |shield: &Shield, one: &Listed| list::pin(shield, one, &global.wait());
    if args.json {
        let shields: Vec<_> =
            scan.shields.iter().zip(&chosen).map(|(s, l)| filtered(list::shield_json(s, &ask, now), l)).collect();
        let problems: Vec<_> = scan.problems.iter().map(words::error_json).collect();
        screen.json(&json!({ "shields": shields, "problems": problems }));
        return list::exit_of(&scan, true);
    }
    let mut shown = 0_usize;
    for (shield, listed) in scan.shields.iter().zip(&chosen) {
        if listed.is_empty() {
            continue;
        }
        screen.line(format!("{} {}", screen.lang.pick("Shield", "共享盾"), clean(shield.serial())));
        for one in listed {
            print(shield, one, global, args.personal, screen, now);
        }
        shown += listed.len();
    }
    for problem in &scan.problems {
        screen.error(problem);
    }
    if shown == 0 && !scan.shields.is_empty() {
        return Err(Error::new(ErrorKind::NoCredential, "choose certificate").detail("nothing fits the choice"));
    }
    list::exit_of(&scan, false)
}

/// The certificates of a shield that are asked for. A unit code or a card number means the whole shield that carries it.
fn chosen(shield: &Shield, args: &Info) -> Vec<Listed> {
    let (role, selector) = (args.role.map(Role::from), args.choice.selector());
    let listed = list::listed(shield);
    let carries = |field: fn(&EportFields) -> &Option<EportText>, wanted: &Option<String>| {
        let has = |w: &str| {
            listed.iter().filter_map(|l| l.certificate.eport()).filter_map(|e| field(e).as_ref()).any(|t| t.text == w)
        };
        wanted.as_deref().is_none_or(has)
    };
    let fits = carries(|e| &e.entity_code, &selector.entity_code) && carries(|e| &e.card_number, &selector.card_number);
    listed
        .iter()
        .filter(|l| fits && role.is_none_or(|r| l.role == Some(r)))
        .filter(|l| selector.fingerprint.is_none_or(|f| f == l.certificate.fingerprint()))
        .cloned()
        .collect()
}

/// The shield's JSON with the chosen certificates alone.
fn filtered(mut value: Value, chosen: &[Listed]) -> Value {
    let kept: Vec<_> = chosen.iter().map(|l| l.certificate.fingerprint().to_string()).collect();
    if let Some(all) = value.get_mut("certificates").and_then(Value::as_array_mut) {
        all.retain(|c| c.get("fingerprint").and_then(Value::as_str).is_some_and(|f| kept.iter().any(|k| k == f)));
    }
    value
}

fn print(shield: &Shield, one: &Listed, global: &Global, personal: bool, screen: &Screen, now: SystemTime) {
    let (lang, c) = (screen.lang, &one.certificate);
    let row = |en: &str, zh: &str, value: &str| screen.line(format!("    {:<14} {}", lang.pick(en, zh), clean(value)));
    let (standing_en, standing_zh) = words::standing(one.standing);
    let role = one.role.map_or(lang.pick("no role", "无角色"), |r| lang.role(r));
    screen.line(format!("  {role}: {}", lang.pick(standing_en, standing_zh)));
    row("because", "原因", &one.reason);
    row("number", "证书编号", &c.number());
    row("issuer", "颁发者", &issuer(c));
    row("fingerprint", "指纹", &c.fingerprint().to_string());
    let key = c.key().map_or_else(|e| e.code(), |k| k.kind().to_string());
    row("key", "密钥", &key);
    row("use", "用途", lang.pick(words::purpose(c.purpose()).0, words::purpose(c.purpose()).1));
    row("validity", "有效期", &words::validity(c, now, lang));
    if !c.policies().is_empty() {
        row("policies", "策略", &c.policies().join(", "));
    }
    if let Some(eport) = c.eport() {
        let fields = [
            ("unit name", "单位名称", &eport.entity_name),
            ("unit code", "单位代码", &eport.entity_code),
            ("unit category", "单位类别", &eport.entity_mode),
            ("card number", "卡号", &eport.card_number),
        ];
        for (en, zh, value) in fields {
            if let Some(value) = value {
                let gbk = lang.pick(" (GBK inside an IA5String)", "（IA5String 内为 GBK）");
                row(en, zh, &format!("{}{}", value.text, if value.gbk_in_ia5 { gbk } else { "" }));
            }
        }
        for field in &eport.unreadable {
            row("unreadable", "无法读取", &format!("{} {}", field.arc, field.why));
        }
        let kind = shield.profile().card_kind(c);
        row("card", "卡类型", lang.pick(kind.name(), kind.name_zh()));
    }
    if personal {
        row("holder", "持有人", c.holder().map_or("-", Personal::reveal));
        for door in &one.doors {
            row("door", "通道", &door.to_string());
        }
    }
    let places: Vec<_> = one.references.iter().map(Reference::place).filter(|place| !place.is_empty()).collect();
    if !places.is_empty() {
        row("place", "位置", &places.join(", "));
    }
    match list::pin(shield, one, &global.wait()) {
        Some(Ok(pin)) => {
            row("tries left", "剩余次数", &words::pin(&pin, lang));
            let texts =
                shield.doors().filter(|d| d.atr.is_some()).filter_map(|d| dialect::text(d, Some(pin.form), lang));
            texts.take(1).for_each(|text| row("form of PINs", "口令方式", &text));
        }
        Some(Err(error)) => row("tries left", "剩余次数", &error.code()),
        None => row("tries left", "剩余次数", "-"),
    }
}

fn issuer(certificate: &Certificate) -> String {
    let name = certificate.issuer();
    let parts: Vec<_> = [name.common_name(), name.unit(), name.organisation()].into_iter().flatten().collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}
