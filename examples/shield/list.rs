//! `list`: shields, doors, certificates.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared_shield::cert::EportFields;
use shared_shield::{DoorInfo, Listed, PinForm, PinState, Reference, Result, Scan, Selector, Shield, Standing, Wait};

use crate::args::{Global, List};
use crate::desk;
use crate::dialect;
use crate::exit::Exit;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

pub(crate) fn run(global: &Global, args: &List, screen: &Screen) -> Result<Exit> {
    let scan = reach::scan(global, None)?.scan;
    let now = SystemTime::now();
    let readers = desk::readers(global);
    let ask = |shield: &Shield, one: &Listed| pin(shield, one, &global.wait());
    if args.json {
        let shields: Vec<_> = scan.shields.iter().map(|s| shield_json(s, &ask, now)).collect();
        let problems: Vec<_> = scan.problems.iter().map(words::error_json).collect();
        let readers: Vec<_> = readers.iter().map(|r| desk::to_json(r, &scan.cards)).collect();
        screen.json(&json!({ "readers": readers, "shields": shields, "problems": problems }));
    } else {
        for line in desk::lines(&readers, &scan, screen.lang) {
            screen.line(line);
        }
        for shield in &scan.shields {
            print(shield, &ask, screen, now);
        }
        for problem in &scan.problems {
            screen.error(problem);
        }
    }
    exit_of(&scan, args.json)
}

/// No shield at all is a failure; a problem beside a shield that works is only shown.
pub(crate) fn exit_of(scan: &Scan, json: bool) -> Result<Exit> {
    match scan.problems.first() {
        _ if !scan.shields.is_empty() => Ok(Exit::Done),
        Some(problem) => Ok(problem.into()),
        None if json => Ok(Exit::Shield),
        None => Err(reach::nothing_found(scan)),
    }
}

/// Customs first, then the bank, then what has no role: a module's own order may be another one each time.
pub(crate) fn listed(shield: &Shield) -> Vec<Listed> {
    let mut listed = shield.certificates();
    listed.sort_by_key(|l| (l.role.is_none(), l.role));
    listed
}

/// How what is known of a certificate's PIN is come by.
pub(crate) type Ask<'a> = &'a dyn Fn(&Shield, &Listed) -> Option<Result<PinState>>;

/// The certificates of a shield, each with what is known of its PIN.
type Known = Vec<(Listed, Option<Result<PinState>>)>;

fn known(shield: &Shield, ask: Ask<'_>) -> Known {
    listed(shield).into_iter().map(|one| (ask(shield, &one), one)).map(|(pin, one)| (one, pin)).collect()
}

/// How sure it is in which form the shield takes its PINs: the device decides, not the certificate.
fn form_of(known: &Known) -> Option<PinForm> {
    known.iter().find_map(|(_, pin)| Some(pin.as_ref()?.as_ref().ok()?.form))
}

pub(crate) fn print(shield: &Shield, ask: Ask<'_>, screen: &Screen, now: SystemTime) {
    let lang = screen.lang;
    screen.line(format!("{} {}", lang.pick("Shield", "共享盾"), clean(shield.serial())));
    let known = known(shield, ask);
    for door in shield.doors() {
        screen.line(format!("  {} {}", lang.pick("door", "通道"), door_text(door)));
        // A module takes PINs in its own way.
        let form = form_of(&known).filter(|_| door.atr.is_some());
        dialect::text(door, form, lang).into_iter().for_each(|text| screen.line(format!("    {text}")));
    }
    if known.is_empty() {
        screen.line(lang.pick("  no certificates", "  无证书"));
    }
    for (one, pin) in &known {
        let role = one.role.map_or("-", |r| lang.role(r));
        let (en, zh) = words::standing(one.standing);
        screen.line(format!("  {role:<8} {:<17} {}", lang.pick(en, zh), words::named(&one.certificate, lang)));
        let mut facts = vec![words::validity(&one.certificate, now, lang)];
        if let Some(code) = one.certificate.eport().and_then(|e| e.entity_code.as_ref()) {
            facts.push(format!("{} {}", lang.pick("unit", "单位代码"), clean(&code.text)));
        }
        match pin {
            Some(Ok(pin)) => {
                facts.push(format!("{} {}", lang.pick("tries left:", "剩余次数："), words::pin(pin, lang)))
            }
            Some(Err(e)) => {
                facts.push(format!("{} {}", lang.pick("tries left: not told,", "剩余次数：无法读取，"), e.code()))
            }
            None => {}
        }
        screen.line(format!("           {}", facts.join(lang.pick("; ", "；"))));
        screen.line(format!("           {} {}", lang.pick("because", "原因："), clean(&one.reason)));
        for reference in &one.references {
            screen.line(format!("           {} {}", lang.pick("by way of", "通道："), clean(&reference.to_string())));
        }
    }
}

/// A door without its token's label, which may be a person's name.
fn door_text(door: &DoorInfo) -> String {
    let DoorInfo { module, manufacturer, model, serial, .. } = door;
    let made: Vec<_> = [manufacturer, model].into_iter().map(|t| clean(t)).filter(|t| !t.is_empty()).collect();
    format!("{}: {} ({})", clean(module), clean(serial), made.join(", "))
}

/// What the token tells of the PIN that opens a certificate, where it has a role.
pub(crate) fn pin(shield: &Shield, one: &Listed, wait: &Wait) -> Option<Result<PinState>> {
    let may_sign = matches!(one.standing, Standing::Serves | Standing::OutsideValidity);
    let role = one.role.filter(|_| may_sign)?;
    let selector = Selector { fingerprint: Some(one.certificate.fingerprint()), ..Selector::default() };
    Some(shield.pin_state(role, &selector, wait))
}

pub(crate) fn shield_json(shield: &Shield, ask: Ask<'_>, now: SystemTime) -> Value {
    let doors: Vec<_> = shield
        .doors()
        .map(|d| {
            json!({
                "module": d.module,
                "manufacturer": d.manufacturer,
                "model": d.model,
                "serial": d.serial,
                "reader": d.reader,
                "dialect": (!d.dialect.is_empty()).then_some(&d.dialect),
            })
        })
        .collect();
    let certificates: Vec<_> =
        known(shield, ask).iter().map(|(one, pin)| certificate_json(shield, one, pin, now)).collect();
    json!({ "serial": shield.serial(), "doors": doors, "certificates": certificates })
}

fn certificate_json(shield: &Shield, one: &Listed, pin: &Option<Result<PinState>>, now: SystemTime) -> Value {
    let c = &one.certificate;
    let eport = c.eport();
    let tries = match pin {
        Some(Ok(pin)) => words::tries_json(pin.status),
        Some(Err(e)) => json!({ "state": "unreadable", "error": words::error_json(e) }),
        None => Value::Null,
    };
    let told = pin.as_ref().and_then(|pin| pin.as_ref().ok());
    json!({
        "role": one.role.map(|r| r.name()),
        "standing": words::standing(one.standing).0,
        "reason": one.reason,
        "number": c.number(),
        "issuer": c.issuer().shown(),
        "fingerprint": c.fingerprint().to_string(),
        "key": c.key().map(|k| k.kind().to_string()).ok(),
        "not_before": words::instant(c.not_before()),
        "not_after": words::instant(c.not_after()),
        "days_left": words::days_left(c, now),
        "entity_code": eport.and_then(|e| e.entity_code.as_ref()).map(|t| &t.text),
        "entity_name": eport.and_then(|e| e.entity_name.as_ref()).map(|t| &t.text),
        "entity_mode": eport.and_then(|e| e.entity_mode.as_ref()).map(|t| &t.text),
        "card_number": eport.and_then(|e| e.card_number.as_ref()).map(|t| &t.text),
        "card_kind": eport.map(|_| shield.profile().card_kind(c).name()),
        "gbk_in_ia5": eport.map(EportFields::gbk_in_ia5).unwrap_or_default(),
        "use": words::purpose(c.purpose()).0,
        "routes": one.doors.len(),
        "references": one.references.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "places": one.references.iter().map(Reference::place).filter(|p| !p.is_empty()).collect::<Vec<_>>(),
        "tries": tries,
        "pin_form": told.map(|pin| dialect::form(pin.form)),
        "factory_pin": told.and_then(|pin| pin.factory),
    })
}
