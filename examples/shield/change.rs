//! `change-pin`, `unblock`, `change-puk`. What is entered is sent once; the shield counts.

use shared_shield::{Consent, Error, ErrorKind, Pin, PinStatus, Result, Role, Selector, Shield};

use crate::args::{Choice, Global};
use crate::args_pins::{ChangePin, ChangePuk, NewPin, Puk, Unblock};
use crate::dialect;
use crate::entry::{self, Source};
use crate::exit::Exit;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

/// How often an entry that cannot be sent is asked for at the terminal.
const ENTRIES: usize = 3;

/// One of the three jobs on one shield.
struct Job<'r> {
    global: &'r Global,
    screen: &'r Screen,
    shield: Shield,
    role: Role,
    selector: Selector,
}

pub(crate) fn change_pin(global: &Global, args: &ChangePin, screen: &Screen) -> Result<Exit> {
    let old = Source::of(args.pin_fd, args.pin_env.as_deref())?;
    let new = new_source(&args.new)?;
    apart(&old, &new, "--pin-fd", "--new-pin-fd")?;
    let job = Job::reach(global, Role::from(args.role), &args.choice, screen)?;
    let mut consent = args.consent();
    job.repeat(&old, &[ErrorKind::PinIncorrect, ErrorKind::TriesUnknown], |is_again| {
        if is_again {
            consent = consent.max(Consent::AfterRefusal);
        }
        let status = job.status()?;
        guard(status, consent, job.role)?;
        job.head(&screen.lang.pick(
            format!("tries left: {}", words::tries(status, screen.lang)),
            format!("剩余次数：{}", words::tries(status, screen.lang)),
        ))?;
        let old = job.entry(&old, screen.lang.pick("PIN that is in force: ", "当前口令："), "--pin-fd or --pin-env")?;
        let new = job.new_entry(&new, ("new PIN", "新口令"), "--new-pin-fd or --new-pin-env")?;
        job.tried(|| job.shield.change_pin(job.role, &job.selector, (&old, &new), consent, &global.wait()))
    })?;
    job.done("changed the {} PIN", "已修改{}口令")
}

pub(crate) fn unblock(global: &Global, args: &Unblock, screen: &Screen) -> Result<Exit> {
    let puk = puk_source(&args.puk)?;
    let new = new_source(&args.new)?;
    apart(&puk, &new, "--puk-fd", "--new-pin-fd")?;
    let job = Job::reach(global, Role::from(args.role), &args.choice, screen)?;
    job.repeat(&puk, &[ErrorKind::PukIncorrect], |_| {
        job.has_unlock_code()?;
        job.head(screen.lang.pick(
            "set anew by the unlock code (PUK); a wrong code uses up one of its own tries",
            "用解锁码（PUK）重设；解锁码输错会消耗其自身的次数",
        ))?;
        let puk = job.puk(&puk, screen.lang.pick("unlock code (PUK): ", "解锁码（PUK）："))?;
        let new = job.new_entry(&new, ("new PIN", "新口令"), "--new-pin-fd or --new-pin-env")?;
        job.tried(|| job.shield.unblock_pin(job.role, &job.selector, (&puk, &new), args.puk.consent(), &global.wait()))
    })?;
    job.done(
        "unlocked the {} PIN: the new one is in force, with all its tries",
        "已解锁{}口令：新口令已生效，次数已恢复",
    )
}

pub(crate) fn change_puk(global: &Global, args: &ChangePuk, screen: &Screen) -> Result<Exit> {
    let old = puk_source(&args.puk)?;
    let new = Source::of(args.new_puk_fd, args.new_puk_env.as_deref())?;
    apart(&old, &new, "--puk-fd", "--new-puk-fd")?;
    let job = match args.role {
        Some(role) => Job::reach(global, Role::from(role), &args.choice, screen)?,
        None => Job::of_any_role(global, &args.choice, screen)?,
    };
    job.repeat(&old, &[ErrorKind::PukIncorrect], |_| {
        job.has_unlock_code()?;
        job.head(screen.lang.pick(
            "change of the unlock code (PUK); a wrong one uses up one of its own tries",
            "修改解锁码（PUK）；输错会消耗其自身的次数",
        ))?;
        let old = job.puk(&old, screen.lang.pick("unlock code (PUK) that is in force: ", "当前解锁码（PUK）："))?;
        let new = job.new_entry(&new, ("new unlock code (PUK)", "新解锁码（PUK）"), "--new-puk-fd or --new-puk-env");
        let new = new.map_err(Error::of_unlock_code)?;
        job.tried(|| job.shield.change_puk(job.role, &job.selector, (&old, &new), args.puk.consent(), &global.wait()))
    })?;
    job.done("changed the unlock code (PUK) of the {} PIN", "已修改{}口令的解锁码（PUK）")
}

fn new_source(args: &NewPin) -> Result<Source> {
    Source::of(args.new_pin_fd, args.new_pin_env.as_deref())
}

fn puk_source(args: &Puk) -> Result<Source> {
    Source::of(args.puk_fd, args.puk_env.as_deref())
}

/// One descriptor would be read from its beginning again where it is a file: the old PIN would be the new one.
fn apart(old: &Source, new: &Source, one: &str, other: &str) -> Result<()> {
    match (old, new) {
        (Source::Descriptor(a), Source::Descriptor(b)) if a == b => {
            Err(Error::new(ErrorKind::Argument, "PIN entry")
                .detail(format!("{one} and {other} need a descriptor each")))
        }
        _ => Ok(()),
    }
}

/// What the library would refuse is refused before a person types for nothing.
fn guard(status: PinStatus, consent: Consent, role: Role) -> Result<()> {
    let kind = match status {
        PinStatus::Locked | PinStatus::Known(0) => ErrorKind::PinLocked,
        s if s.is_last_try() && consent < Consent::LastTry => ErrorKind::LastTry,
        PinStatus::Unknown { refused: true } if consent < Consent::AfterRefusal => ErrorKind::TriesUnknown,
        _ => return Ok(()),
    };
    Err(Error::new(kind, "read PIN state").role(role).tries(status))
}

impl<'r> Job<'r> {
    fn reach(global: &'r Global, role: Role, choice: &Choice, screen: &'r Screen) -> Result<Self> {
        let shield = reach::shield(global, role, choice, true)?;
        Ok(Job { global, screen, shield, role, selector: choice.selector() })
    }

    /// Where no role was said: the one that the shield has, or either where one PIN opens both.
    fn of_any_role(global: &'r Global, choice: &Choice, screen: &'r Screen) -> Result<Self> {
        let reached = reach::scan(global, choice.credential.as_ref())?;
        let of = |role| reach::choose(&reached, role, choice, true).map(|shield| (role, shield));
        let (role, shield) = match (of(Role::Customs), of(Role::Bank)) {
            (Ok((role, shield)), Ok(_)) => {
                if shield.opened_together(role, &choice.selector())?.len() < 2 {
                    return Err(Error::new(ErrorKind::Argument, "choose PIN")
                        .detail("there is a PIN for each role: say --role customs or --role bank"));
                }
                (role, shield)
            }
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => one,
            (Err(error), Err(_)) => return Err(error),
        };
        Ok(Job { global, screen, shield, role, selector: choice.selector() })
    }

    /// As [`dialect::tried`].
    fn tried(&self, job: impl FnOnce() -> Result<()>) -> Result<()> {
        dialect::tried((self.global, self.screen), &self.shield, (self.role, &self.selector), job)
    }

    /// At a terminal a person may go on after a refusal, by an explicit word each time.
    fn repeat(
        &self,
        source: &Source,
        refusals: &[ErrorKind],
        mut attempt: impl FnMut(bool) -> Result<()>,
    ) -> Result<()> {
        let mut is_again = false;
        loop {
            match attempt(is_again) {
                Err(e) if source.is_terminal() && refusals.contains(&e.kind()) && entry::again(&e, self.screen) => {
                    is_again = true;
                }
                other => return other,
            }
        }
    }

    /// Tries left, or why PINs cannot be changed here: known before anybody is asked.
    fn status(&self) -> Result<PinStatus> {
        self.shield.pin_change_status(self.role, &self.selector, &self.global.wait())
    }

    /// Likewise for the unlock code.
    fn has_unlock_code(&self) -> Result<()> {
        self.shield.pin_unblock_status(self.role, &self.selector, &self.global.wait()).map(drop)
    }

    /// Which PIN of which shield, and what else it opens.
    fn head(&self, text: &str) -> Result<()> {
        let (lang, serial) = (self.screen.lang, clean(self.shield.serial()));
        let role = lang.role(self.role);
        self.screen.line(
            lang.pick(format!("Shield {serial}, {role} PIN: {text}"), format!("共享盾 {serial}，{role}口令：{text}")),
        );
        let others = self.others()?;
        if !others.is_empty() {
            self.screen.line(lang.pick(
                format!("This PIN also opens: {others}. It is one PIN: it changes for both."),
                format!("此口令同时用于：{others}。两者共用一个口令，将同时更改。"),
            ));
        }
        Ok(())
    }

    /// The other roles that the PIN opens.
    fn others(&self) -> Result<String> {
        let roles = self.shield.opened_together(self.role, &self.selector)?;
        let lang = self.screen.lang;
        Ok(roles.iter().filter(|r| **r != self.role).map(|r| lang.role(*r)).collect::<Vec<_>>().join(", "))
    }

    /// One entry. At the terminal one that could not be sent is asked for again.
    fn entry(&self, source: &Source, text: &str, options: &str) -> Result<Pin> {
        let mut left = ENTRIES;
        loop {
            left -= 1;
            let octets = source.read(text).map_err(|e| source.failed(&e, options).role(self.role))?;
            match Pin::new(self.role, &octets) {
                Err(error) if source.is_terminal() && left > 0 => self.screen.error(&error),
                other => return other,
            }
        }
    }

    fn puk(&self, source: &Source, text: &str) -> Result<Pin> {
        self.entry(source, text, "--puk-fd or --puk-env").map_err(Error::of_unlock_code)
    }

    /// A new PIN; a person enters it twice.
    fn new_entry(&self, source: &Source, what: (&str, &str), options: &str) -> Result<Pin> {
        let lang = self.screen.lang;
        let (once, twice) = lang.pick(
            (format!("{}: ", what.0), format!("{} again: ", what.0)),
            (format!("{}：", what.1), format!("再次输入{}：", what.1)),
        );
        if !source.is_terminal() {
            return self.entry(source, &once, options);
        }
        for _ in 0..ENTRIES {
            let failed = |e| source.failed(&e, options).role(self.role);
            let (first, second) = (source.read(&once).map_err(failed)?, source.read(&twice).map_err(failed)?);
            if *first != *second {
                self.screen.note(lang.pick("The two entries differ: nothing was sent.", "两次输入不一致：未发送。"));
                continue;
            }
            match Pin::new(self.role, &first) {
                Ok(pin) => return Ok(pin),
                Err(error) => self.screen.error(&error),
            }
        }
        Err(Error::new(ErrorKind::PinDeclined, "PIN entry").role(self.role))
    }

    fn done(&self, en: &str, zh: &str) -> Result<Exit> {
        let lang = self.screen.lang;
        let mut text = lang.pick(en, zh).replace("{}", lang.role(self.role));
        let others = self.others()?;
        if !others.is_empty() {
            text.push_str(&lang.pick(format!("; it also opens: {others}"), format!("；同时用于：{others}")));
        }
        self.screen.line(text);
        Ok(Exit::Done)
    }
}
