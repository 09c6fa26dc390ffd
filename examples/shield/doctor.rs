//! `doctor`: what is wrong here and what to do. Works without a shield, without a service and without a PIN.

use std::path::Path;

use serde_json::{Value, json};
use shared_shield::doctor::{Examined, Finding, Module, Service};
use shared_shield::{Diagnosis, Error, ErrorKind, Listed, PinState, Result, Severity, Shield};

use crate::args::{Doctor, Global};
use crate::desk;
use crate::done;
use crate::exit::Exit;
use crate::list;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::spared;
use crate::words;

pub(crate) fn run(global: &Global, args: &Doctor, screen: &Screen) -> Result<Exit> {
    spared::check(global, &[], args.bundle.as_deref())?;
    let diagnosis = reach::scanner(global)?.diagnose(&global.wait())?;
    if let Some(file) = &args.bundle {
        write(file, args.overwrite, &diagnosis)?;
    }
    let exit = exit(&diagnosis);
    if args.json {
        screen.json(&to_json(&diagnosis, global.simulator.as_deref(), exit));
        return Ok(exit);
    }
    print(&diagnosis, global.simulator.as_deref(), screen);
    if let Some(file) = &args.bundle {
        let file = clean(&file.display().to_string());
        screen.line(screen.lang.pick(
            format!("Wrote {file}: it holds no PIN, no name and no label; numbers are masked. Look at it before you send it."),
            format!("已写出 {file}：不含口令、姓名和标签，编号已遮盖。发送前请先查看。"),
        ));
    }
    Ok(exit)
}

fn write(file: &Path, overwrite: bool, diagnosis: &Diagnosis) -> Result<()> {
    done::write(file, overwrite, |out| {
        let failed = |e: std::io::Error| Error::new(ErrorKind::OutputFailed, "write bundle").io(&e);
        out.write_all(diagnosis.bundle().as_bytes()).map_err(failed)
    })
}

/// The code of the finding that stands in the way before all others.
fn exit(diagnosis: &Diagnosis) -> Exit {
    diagnosis.worst().map_or(Exit::Done, |worst| worst.error().map_or(Exit::Shield, Exit::from))
}

fn print(seen: &Diagnosis, simulator: Option<&Path>, screen: &Screen) {
    let lang = screen.lang;
    let known = |it: Option<bool>| match it {
        Some(true) => lang.pick("installed", "已安装"),
        Some(false) => lang.pick("not found", "未找到"),
        None => lang.pick("not known", "未知"),
    };
    let (service, driver) = (known(seen.host.service), known(seen.host.usb_driver));
    let system = &seen.host.system;
    screen.line(lang.pick(
        format!("Computer: {system}; smart-card service: {service}; its driver for USB keys: {driver}"),
        format!("计算机：{system}；智能卡服务：{service}；其 USB 驱动：{driver}"),
    ));
    if !seen.host.usb.is_empty() {
        let devices = seen.host.usb.join(", ");
        screen.line(lang.pick(
            format!("USB devices with a smart-card interface: {devices}"),
            format!("具有智能卡接口的 USB 设备：{devices}"),
        ));
    }
    seen.services.iter().for_each(|service| print_service(service, simulator, seen, screen));
    seen.modules.iter().for_each(|module| print_module(module, screen));
    for examined in &seen.shields {
        let pin = |_: &Shield, one: &Listed| pin(examined, one);
        list::print(&examined.shield, &pin, screen, seen.at);
    }
    screen.line("");
    for finding in &seen.findings {
        print_finding(finding, screen);
    }
    let wrong = seen.findings.iter().filter(|f| f.severity == Severity::Wrong).count();
    screen.line(match wrong {
        0 => lang.pick("Nothing is wrong.".to_owned(), "未发现问题。".to_owned()),
        1 => lang.pick("1 thing is wrong: it stands first.".to_owned(), "发现 1 个问题，列在最前。".to_owned()),
        n => lang.pick(
            format!("{n} things are wrong: begin with the first."),
            format!("发现 {n} 个问题，请从第一个开始处理。"),
        ),
    });
}

fn print_service(service: &Service, simulator: Option<&Path>, seen: &Diagnosis, screen: &Screen) {
    let lang = screen.lang;
    let readers = match &service.readers {
        Ok(readers) => readers,
        Err(error) => {
            let code = error.code();
            screen
                .line(lang.pick(format!("Smart-card service: {code}, see below"), format!("智能卡服务：{code}，见下")));
            return;
        }
    };
    let count = readers.len();
    screen.line(match simulator.map(|file| clean(&file.display().to_string())) {
        // In place of the service, which nobody has asked.
        Some(file) => lang.pick(format!("Simulator: {file}"), format!("模拟器：{file}")),
        None => lang.pick(
            format!("Smart-card service: runs, {count} reader{}", if count == 1 { "" } else { "s" }),
            format!("智能卡服务：运行中，{count} 个读卡器"),
        ),
    });
    for state in readers {
        let shields = seen.shields.iter().map(|e| &e.shield);
        screen.line(format!("  {}", desk::line(state, &seen.cards, shields, lang)));
        for card in seen.cards.iter().filter(|c| c.reader == state.reader) {
            screen.line(format!("    ATR {}", card.atr));
            for tried in &card.tried {
                let outcome = clean(&tried.outcome);
                screen.line(format!("    {} {}: {outcome}", lang.pick("driver", "驱动"), tried.driver));
            }
        }
    }
}

fn print_module(module: &Module, screen: &Screen) {
    let (lang, path, tokens) = (screen.lang, clean(&module.path.display().to_string()), module.tokens);
    let problem = module.problem.as_ref().map(|e| format!(", {}", e.code())).unwrap_or_default();
    let s = if tokens == 1 { "" } else { "s" };
    screen.line(lang.pick(
        format!("Driver {path}: {tokens} usable token{s}{problem}"),
        format!("驱动 {path}：{tokens} 个可用介质{problem}"),
    ));
}

fn print_finding(finding: &Finding, screen: &Screen) {
    let mark = match finding.severity {
        Severity::Info => screen.lang.pick("info", "信息"),
        Severity::Warning => screen.lang.pick("note", "注意"),
        _ => screen.lang.pick("BAD ", "错误"),
    };
    let mut text = screen.lang.pick(finding.text(), finding.text_zh());
    // What is not there and not needed either would read as a failure.
    if finding.severity == Severity::Info && finding.error().is_some() {
        text.push_str(screen.lang.pick(" Not needed for what was found.", "目前找到的共享盾不需要它。"));
    }
    let shield = finding.shield.as_deref().map(|s| format!("[{}] ", clean(s))).unwrap_or_default();
    screen.line(format!("{mark} {shield}{text}"));
    let candidates = finding.error().map(Error::looked_at).unwrap_or_default();
    for candidate in candidates {
        screen.line(format!("       - {} [{}]: {}", candidate.label, candidate.fingerprint, candidate.reason));
    }
    let hint = match finding.error() {
        Some(error) => screen.advice(error),
        None => screen.hint(finding.recovery()),
    };
    if let Some(hint) = hint.filter(|_| finding.severity != Severity::Info) {
        screen.line(format!("       {} {hint}", screen.lang.pick("Now:", "处理：")));
    }
}

/// What was read when the shield was examined; nothing is read again.
fn pin(examined: &Examined, one: &Listed) -> Option<Result<PinState>> {
    let fingerprint = one.certificate.fingerprint();
    examined.certificates.iter().find(|c| c.listed.certificate.fingerprint() == fingerprint)?.pin.clone()
}

fn to_json(seen: &Diagnosis, simulator: Option<&Path>, exit: Exit) -> Value {
    let state = if simulator.is_some() { "simulator" } else { "running" };
    let services = seen.services.iter().map(|s| match &s.readers {
        Ok(readers) => json!({
            "state": state,
            "readers": readers.iter().map(|r| desk::to_json(r, &seen.cards)).collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "state": "not available", "error": words::error_json(error), "readers": [] }),
    });
    let modules = seen.modules.iter().map(|m| {
        json!({
            "path": m.path.display().to_string(),
            "tokens": m.tokens,
            "error": m.problem.as_ref().map(words::error_json),
        })
    });
    let shields: Vec<_> = seen
        .shields
        .iter()
        .map(|e| list::shield_json(&e.shield, &|_: &Shield, one: &Listed| pin(e, one), seen.at))
        .collect();
    json!({
        "computer": {
            "system": seen.host.system,
            "service_installed": seen.host.service,
            "usb_driver_installed": seen.host.usb_driver,
            "usb_smart_card_devices": seen.host.usb,
        },
        "profile": { "name": seen.profile, "test": seen.test_profile },
        "services": services.collect::<Vec<_>>(),
        "modules": modules.collect::<Vec<_>>(),
        "shields": shields,
        "findings": seen.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "exit": exit as u8,
    })
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "severity": match finding.severity { Severity::Info => "info", Severity::Warning => "warning", _ => "wrong" },
        "code": finding.code(),
        "text": finding.text(),
        "text_zh": finding.text_zh(),
        "shield": finding.shield,
        "recovery": words::recovery(finding.recovery()),
        "error": finding.error().map(words::error_json),
    })
}
