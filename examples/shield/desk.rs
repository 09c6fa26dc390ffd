//! Readers and what is in them, as lines and as JSON.

use serde_json::{Value, json};
use shared_shield::link::{Presence, ReaderState};
use shared_shield::{CardReport, Scan, Shield};

use crate::args::Global;
use crate::readers;
use crate::screen::{Lang, clean};

/// The readers of a scan, where there is a service that tells.
pub(crate) fn readers(global: &Global) -> Vec<ReaderState> {
    let readers = readers::of(global).ok().flatten();
    readers.and_then(|readers| readers.list(&global.wait()).ok()).unwrap_or_default()
}

/// A line for each reader.
pub(crate) fn lines(states: &[ReaderState], scan: &Scan, lang: Lang) -> Vec<String> {
    states.iter().map(|state| line(state, &scan.cards, &scan.shields, lang)).collect()
}

pub(crate) fn line<'s>(
    state: &ReaderState,
    cards: &[CardReport],
    shields: impl IntoIterator<Item = &'s Shield>,
    lang: Lang,
) -> String {
    let has = |shield: &&Shield| shield.doors().any(|d| d.reader == state.reader);
    let shield = shields.into_iter().find(has).map(|s| clean(s.serial()));
    let card = cards.iter().find(|c| c.reader == state.reader);
    let driver = card.filter(|c| c.door.is_some()).and_then(|c| c.tried.last()).map(|t| t.driver);
    let mut what = match (&state.presence, shield) {
        (Presence::Empty, _) => lang.pick("empty", "空").to_owned(),
        (Presence::Mute, _) => lang.pick("a card that does not answer", "卡无应答").to_owned(),
        (_, Some(serial)) => {
            let by = driver.map(|d| lang.pick(format!(" (driver {d})"), format!("（驱动 {d}）"))).unwrap_or_default();
            lang.pick(format!("shield {serial}{by}"), format!("共享盾 {serial}{by}"))
        }
        (Presence::Card(atr), None) => lang.pick(format!("a card, ATR {atr}"), format!("有卡，ATR {atr}")),
        _ => "-".to_owned(),
    };
    if state.exclusive {
        what.push_str(lang.pick(", held by another program for itself alone", "，被其他程序独占"));
    }
    format!("{} {}{}{what}", lang.pick("Reader", "读卡器"), clean(&state.reader), lang.pick(": ", "："))
}

pub(crate) fn to_json(state: &ReaderState, cards: &[CardReport]) -> Value {
    let (kind, atr) = match &state.presence {
        Presence::Empty => ("empty", None),
        Presence::Mute => ("mute", None),
        Presence::Card(atr) => ("card", Some(atr.to_string())),
        _ => ("other", None),
    };
    let card = cards.iter().find(|c| c.reader == state.reader);
    json!({
        "name": state.reader,
        "state": kind,
        "atr": atr,
        "exclusive": state.exclusive,
        "door": card.and_then(|c| c.door.as_ref()).map(ToString::to_string),
        "drivers": card.map(|c| c.tried.iter().map(|t| json!({
            "name": t.driver,
            "atr": format!("{:?}", t.fit).to_lowercase(),
            "outcome": t.outcome,
        })).collect::<Vec<_>>()).unwrap_or_default(),
    })
}
