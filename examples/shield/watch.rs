//! `watch`: what is plugged in and pulled out, a line each.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use shared_shield::{Cancel, Error, ErrorKind, Event, Result, Shield, Wait};

use crate::args::{Global, Watch};
use crate::exit::Exit;
use crate::list;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

/// How long one wait is where no end was said.
const LONG: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn run(global: &Global, args: &Watch, screen: &Screen) -> Result<Exit> {
    if global.no_readers && global.simulator.is_none() {
        return Err(Error::new(ErrorKind::Argument, "watch").detail("without readers there is nothing to watch"));
    }
    let mut watch = reach::scanner(global)?.watch()?;
    let cancel = Arc::<Cancel>::default();
    end_on_signal(&cancel)?;
    let end = args.seconds.and_then(|s| Instant::now().checked_add(Duration::from_secs(s)));
    while !screen.is_gone() {
        let left = end.map_or(LONG, |end| end.saturating_duration_since(Instant::now()));
        match watch.next(&Wait::at_most(left).with_cancel(Arc::clone(&cancel))) {
            Ok(Some(event)) if args.json => screen.line(to_json(&event).to_string()),
            Ok(Some(event)) => print(&event, screen),
            Ok(None) if end.is_some() => break,
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Exit::Done)
}

/// Ctrl-C, and being asked to end, are no failure here.
#[cfg(unix)]
fn end_on_signal(cancel: &Arc<Cancel>) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let failed = |e: std::io::Error| Error::new(ErrorKind::Defect, "watch signals").io(&e);
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let cancel = Arc::clone(cancel);
    let wait = move || {
        if signals.forever().next().is_some() {
            cancel.cancel();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop).map_err(failed)
}

/// Elsewhere Ctrl-C ends the program as it always does.
#[cfg(not(unix))]
fn end_on_signal(_: &Arc<Cancel>) -> Result<()> {
    Ok(())
}

fn print(event: &Event, screen: &Screen) {
    let lang = screen.lang;
    let of = |shield: &Shield| (clean(shield.serial()), certificates(shield, screen));
    let text = match event {
        Event::Arrived(shield) => {
            let (serial, has) = of(shield);
            lang.pick(format!("shield {serial} is here: {has}"), format!("共享盾 {serial} 已插入：{has}"))
        }
        Event::Returned(shield) => {
            let (serial, has) = of(shield);
            lang.pick(format!("shield {serial} is back: {has}"), format!("共享盾 {serial} 已重新插入：{has}"))
        }
        Event::Removed { serial } => {
            let serial = clean(serial);
            lang.pick(format!("shield {serial} was pulled out"), format!("共享盾 {serial} 已拔出"))
        }
        Event::Refused { reader, error } => {
            let (reader, why) = (clean(reader), screen.sentence(error));
            lang.pick(
                format!("reader {reader}: the card cannot be used: {why}"),
                format!("读卡器 {reader}：卡无法使用：{why}"),
            )
        }
        Event::RefusedRemoved { reader } => {
            let reader = clean(reader);
            lang.pick(format!("reader {reader}: the card was pulled out"), format!("读卡器 {reader}：卡已取出"))
        }
        Event::ReaderAdded(reader) => {
            let reader = clean(reader);
            lang.pick(format!("reader {reader} was connected"), format!("读卡器 {reader} 已连接"))
        }
        Event::ReaderRemoved(reader) => {
            let reader = clean(reader);
            lang.pick(format!("reader {reader} was disconnected"), format!("读卡器 {reader} 已断开"))
        }
        Event::ServiceStopped => lang.pick("the smart-card service does not run", "智能卡服务未运行").to_owned(),
        Event::ServiceStarted => lang.pick("the smart-card service runs again", "智能卡服务已恢复运行").to_owned(),
        // A later version of the library may see more.
        other => format!("{other:?}"),
    };
    screen.line(text);
}

/// The roles that a shield serves, with the last day of each certificate.
fn certificates(shield: &Shield, screen: &Screen) -> String {
    let lang = screen.lang;
    let served: Vec<_> = list::listed(shield)
        .iter()
        .filter_map(|one| {
            let role = lang.role(one.role?);
            let (en, zh) = words::standing(one.standing);
            let last: String = words::instant(one.certificate.not_after()).chars().take(10).collect();
            Some(lang.pick(format!("{role} ({en}, to {last})"), format!("{role}（{zh}，至 {last}）")))
        })
        .collect();
    if served.is_empty() {
        return lang.pick("no certificate with a role", "没有可识别角色的证书").to_owned();
    }
    served.join(lang.pick(", ", "、"))
}

fn to_json(event: &Event) -> Value {
    let mut line = match event {
        Event::Arrived(shield) => arrival("arrived", shield),
        Event::Returned(shield) => arrival("returned", shield),
        Event::Removed { serial } => json!({ "event": "removed", "shield": serial }),
        Event::Refused { reader, error } => {
            json!({ "event": "refused", "reader": reader, "error": words::error_json(error) })
        }
        Event::RefusedRemoved { reader } => json!({ "event": "refused-removed", "reader": reader }),
        Event::ReaderAdded(reader) => json!({ "event": "reader-added", "reader": reader }),
        Event::ReaderRemoved(reader) => json!({ "event": "reader-removed", "reader": reader }),
        Event::ServiceStopped => json!({ "event": "service-stopped" }),
        Event::ServiceStarted => json!({ "event": "service-started" }),
        _ => json!({ "event": "other" }),
    };
    line["time"] = words::instant(SystemTime::now()).into();
    line
}

fn arrival(event: &str, shield: &Shield) -> Value {
    let certificates: Vec<_> = list::listed(shield)
        .iter()
        .map(|one| {
            json!({
                "role": one.role.map(|r| r.name()),
                "standing": words::standing(one.standing).0,
                "fingerprint": one.certificate.fingerprint().to_string(),
                "not_after": words::instant(one.certificate.not_after()),
                "references": one.references.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let readers: Vec<_> = shield.doors().map(|d| &d.reader).filter(|r| !r.is_empty()).collect();
    json!({ "event": event, "shield": shield.serial(), "readers": readers, "certificates": certificates })
}
