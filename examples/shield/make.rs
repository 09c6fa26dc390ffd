//! `make-test-shield`: a shield in software, for trying everything out.

use std::path::Path;

use shared_shield::{Error, ErrorKind, Result};

use crate::args::Global;
use crate::args_test::{MakeTestShield, TestKey};
use crate::exit::Exit;
use crate::make_test_shield::{Fault, Import, Layout, Made, Options, State, make};
use crate::screen::{Screen, clean};
use crate::test_token::Key;

/// PINs of a test shield whose maker names none. They protect nothing: the keys are in software.
const CUSTOMS_PIN: &str = "12345678";
const BANK_PIN: &str = "87654321";
const OPERATION: &str = "make test shield";

pub(crate) fn run(global: &Global, args: &MakeTestShield, screen: &Screen) -> Result<Exit> {
    let options = options(global, args)?;
    let made = make(&options).map_err(|fault| match fault {
        Fault::Asked(what) => Error::new(ErrorKind::Argument, OPERATION).detail(what),
        Fault::Failed(what) => Error::new(ErrorKind::ModuleFailed, OPERATION).detail(what),
    })?;
    tell(&made, args, screen);
    Ok(Exit::Done)
}

fn options(global: &Global, args: &MakeTestShield) -> Result<Options> {
    let refuse = |kind, what: String| Err(Error::new(kind, OPERATION).detail(what));
    let [module] = global.module.as_slice() else {
        return refuse(ErrorKind::Argument, "name one driver: --module PATH".to_owned());
    };
    let shown = module.display().to_string();
    if !module.is_absolute() {
        return refuse(ErrorKind::PathNotAbsolute, shown);
    }
    if !module.is_file() {
        return refuse(ErrorKind::ModuleNotFound, shown);
    }
    if args.dir.join("profile.toml").exists() {
        return refuse(ErrorKind::OutputFailed, format!("there is a test shield in {} already", args.dir.display()));
    }
    let customs_pin = pin(args.customs_pin_env.as_deref(), CUSTOMS_PIN)?;
    let bank_pin = pin(args.bank_pin_env.as_deref(), BANK_PIN)?;
    let key = match args.algorithm {
        TestKey::P256 => Key::P256,
        TestKey::Rsa2048 => Key::Rsa2048,
        TestKey::Rsa1024 => Key::Rsa1024,
    };
    let import = args.import_key.clone().map(|key| Import { key, certificate: args.import_certificate.clone() });
    let label = |role: &str| args.label.as_ref().map_or_else(|| role.to_owned(), |l| format!("{l} {role}"));
    Ok(Options {
        customs_label: label("customs"),
        bank_label: label("bank"),
        layout: if args.one_token { Layout::OneToken } else { Layout::TwoTokens },
        customs_key: key,
        bank_key: key,
        customs_state: if args.expired { State::Expired } else { State::Valid },
        earlier: args.renewed,
        import,
        ..Options::new(module, &args.dir, &customs_pin, &bank_pin)
    })
}

fn pin(variable: Option<&str>, otherwise: &str) -> Result<String> {
    let Some(name) = variable else { return Ok(otherwise.to_owned()) };
    std::env::var(name).map_err(|_| {
        Error::new(ErrorKind::Argument, OPERATION).detail(format!("the environment variable {name} is not set"))
    })
}

fn tell(made: &Made, args: &MakeTestShield, screen: &Screen) {
    let lang = screen.lang;
    let path = |p: &Path| clean(&p.display().to_string());
    let serials = made.serials.join(", ");
    screen.line(lang.pick(
        format!("made a test shield, serial numbers of its tokens: {serials}"),
        format!("已生成测试共享盾，序列号：{serials}"),
    ));
    for (en, zh, file) in [
        ("profile", "配置文件", &made.profile),
        ("trusted issuers", "签发机构证书", &made.ca),
        ("customs certificate", "海关证书", &made.customs),
        ("bank certificate", "银行证书", &made.bank),
    ] {
        screen.line(format!("  {}: {}", lang.pick(en, zh), path(file)));
    }
    if args.customs_pin_env.is_none() {
        screen.line(format!("  {}: {CUSTOMS_PIN}", lang.pick("PIN of the customs certificate", "海关证书口令")));
    }
    if args.bank_pin_env.is_none() && !args.one_token {
        screen.line(format!("  {}: {BANK_PIN}", lang.pick("PIN of the bank certificate", "银行证书口令")));
    }
}
