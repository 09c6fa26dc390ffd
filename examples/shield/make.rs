//! `make-test-shield`: a shield in software, for trying everything out.

use std::path::Path;

use shared_shield::{Error, ErrorKind, Result};

use crate::args::Global;
use crate::args_test::{MakeTestShield, TestKey};
use crate::exit::Exit;
use crate::made::{Fault, Made};
use crate::make_test_shield::{self, Import, Layout, Options, State};
use crate::screen::{Screen, clean};
use crate::test_token::Key;

/// PINs of a test shield whose maker names none. They protect nothing: the keys are in software.
const CUSTOMS_PIN: &str = "12345678";
const BANK_PIN: &str = "87654321";
/// The unlock codes of its two offices.
#[cfg(feature = "simulator")]
const CUSTOMS_PUK: &str = "11223344";
#[cfg(feature = "simulator")]
const BANK_PUK: &str = "44332211";
const OPERATION: &str = "make test shield";

pub(crate) fn run(global: &Global, args: &MakeTestShield, screen: &Screen) -> Result<Exit> {
    if args.dir.join("profile.toml").exists() {
        return refuse(ErrorKind::OutputFailed, format!("there is a test shield in {} already", args.dir.display()));
    }
    let made = match &global.simulator {
        Some(file) => simulated(global, args, file)?,
        None => make_test_shield::make(&options(global, args)?).map_err(failed)?,
    };
    tell(&made, args, screen);
    if let Some(file) = &global.simulator {
        tell_simulator(file, args, screen);
    }
    Ok(Exit::Done)
}

fn refuse<T>(kind: ErrorKind, what: impl Into<String>) -> Result<T> {
    Err(Error::new(kind, OPERATION).detail(what))
}

fn failed(fault: Fault) -> Error {
    let (kind, what) = match fault {
        Fault::Asked(what) => (ErrorKind::Argument, what),
        Fault::Failed(what) => (ErrorKind::ModuleFailed, what),
        Fault::Said(error) => return error,
    };
    Error::new(kind, OPERATION).detail(what)
}

/// The first of these options that was given: it has no use here.
fn useless(given: &[(&str, bool)], here: &str) -> Result<()> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => refuse(ErrorKind::Argument, format!("{option} has no use {here}")),
        None => Ok(()),
    }
}

fn options(global: &Global, args: &MakeTestShield) -> Result<Options> {
    let [module] = global.module.as_slice() else {
        return refuse(ErrorKind::Argument, "name one driver: --module PATH, or a new state file: --simulator FILE");
    };
    let of_simulator = [
        ("--dialect", args.dialect.is_some()),
        ("--customs-puk-env", args.customs_puk_env.is_some()),
        ("--bank-puk-env", args.bank_puk_env.is_some()),
        ("--algorithm sm2", args.algorithm == Some(TestKey::Sm2)),
    ];
    useless(&of_simulator, "without --simulator")?;
    let shown = module.display().to_string();
    if !module.is_absolute() {
        return refuse(ErrorKind::PathNotAbsolute, shown);
    }
    if !module.is_file() {
        return refuse(ErrorKind::ModuleNotFound, shown);
    }
    let customs_pin = pin(args.customs_pin_env.as_deref(), CUSTOMS_PIN)?;
    let bank_pin = pin(args.bank_pin_env.as_deref(), BANK_PIN)?;
    let key = match args.algorithm {
        Some(TestKey::Rsa2048) => Key::Rsa2048,
        Some(TestKey::Rsa1024) => Key::Rsa1024,
        _ => Key::P256,
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

#[cfg(feature = "simulator")]
fn simulated(global: &Global, args: &MakeTestShield, file: &Path) -> Result<Made> {
    use shared_shield::Certificate;
    use shared_shield::simulator::Algorithm;

    use crate::make_simulated::{Given, Pins, Plan, make};
    use crate::verify::read;

    let of_module = [
        ("--module", !global.module.is_empty()),
        ("--one-token", args.one_token),
        ("--label", args.label.is_some()),
        ("--algorithm rsa", matches!(args.algorithm, Some(TestKey::Rsa2048 | TestKey::Rsa1024))),
    ];
    useless(&of_module, "with --simulator")?;
    let office = |user: Option<&str>, usual, admin: Option<&str>, code| {
        Ok::<_, Error>(Pins { user: pin(user, usual)?, admin: pin(admin, code)? })
    };
    let customs = office(args.customs_pin_env.as_deref(), CUSTOMS_PIN, args.customs_puk_env.as_deref(), CUSTOMS_PUK)?;
    let bank = office(args.bank_pin_env.as_deref(), BANK_PIN, args.bank_puk_env.as_deref(), BANK_PUK)?;
    let mut plan = Plan::new(file, &args.dir, customs, bank);
    (plan.expired, plan.earlier) = (args.expired, args.renewed);
    plan.dialect = args.dialect.clone().unwrap_or(plan.dialect);
    if args.algorithm == Some(TestKey::P256) {
        plan.keys = Algorithm::P256;
    }
    if let Some(path) = &args.import_key {
        let key = String::from_utf8_lossy(&read(path, KEY_MAX)?).into_owned();
        let of = |path: &std::path::PathBuf| Certificate::from_pem(&read(path, KEY_MAX)?);
        plan.given = Some(Given { key, certificate: args.import_certificate.as_ref().map(of).transpose()? });
    }
    make(&plan).map_err(failed)
}

/// The largest key or certificate that is imported, in octets of PEM.
#[cfg(feature = "simulator")]
const KEY_MAX: usize = 64 * 1024;

#[cfg(not(feature = "simulator"))]
fn simulated(_: &Global, _: &MakeTestShield, _: &Path) -> Result<Made> {
    Err(crate::simulated::missing())
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

/// What the simulator's test shield has beside.
#[cfg(feature = "simulator")]
fn tell_simulator(file: &Path, args: &MakeTestShield, screen: &Screen) {
    let lang = screen.lang;
    for (variable, code, en, zh) in [
        (&args.customs_puk_env, CUSTOMS_PUK, "unlock code of the customs office", "海关解锁码"),
        (&args.bank_puk_env, BANK_PUK, "unlock code of the bank", "银行解锁码"),
    ] {
        if variable.is_none() {
            screen.line(format!("  {}: {code}", lang.pick(en, zh)));
        }
    }
    let (file, profile) =
        (clean(&file.display().to_string()), clean(&args.dir.join("profile.toml").display().to_string()));
    screen.line(lang.pick(
        format!("  use it with: --simulator {file} --profile {profile}"),
        format!("  使用方法：--simulator {file} --profile {profile}"),
    ));
}

#[cfg(not(feature = "simulator"))]
fn tell_simulator(_: &Path, _: &MakeTestShield, _: &Screen) {}
