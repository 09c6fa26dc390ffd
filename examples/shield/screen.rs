//! Everything that a person reads goes through here: results to stdout, the rest to stderr.

use std::cell::Cell;
use std::io::{self, Write};

use clap::ValueEnum;
use shared_shield::{Error, ErrorKind, Language, Recovery, Role};

/// The language of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    En,
    Zh,
}

impl Lang {
    pub(crate) fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }

    /// As the library names it.
    pub(crate) fn language(self) -> Language {
        self.pick(Language::English, Language::Chinese)
    }

    pub(crate) fn role(self, role: Role) -> &'static str {
        self.pick(role.name(), role.name_zh())
    }
}

pub(crate) struct Screen {
    pub(crate) lang: Lang,
    broken: Cell<bool>,
    gone: Cell<bool>,
}

impl Screen {
    pub(crate) fn new(lang: Lang) -> Self {
        Screen { lang, broken: Cell::new(false), gone: Cell::new(false) }
    }

    /// Whether something could not be printed (a full disk behind a redirection). A reader that went away is no failure.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether nobody reads what is printed any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// A line of the result.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        let mut out = io::stdout().lock();
        if let Err(e) = writeln!(out, "{}", tame(text.as_ref())).and_then(|()| out.flush()) {
            self.gone.set(true);
            if e.kind() != io::ErrorKind::BrokenPipe {
                self.broken.set(true);
            }
        }
    }

    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.line(format!("{value:#}"));
    }

    /// A line beside the result. Where stderr is closed there is nobody to tell.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", tame(text.as_ref()));
    }

    /// An error with its candidates and what to do now.
    pub(crate) fn error(&self, error: &Error) {
        self.note(self.sentence(error));
        for candidate in error.looked_at() {
            self.note(format!("  - {} [{}]: {}", candidate.label, candidate.fingerprint, candidate.reason));
        }
        if let Some(hint) = self.advice(error) {
            self.note(format!("  {} {hint}", self.lang.pick("Now:", "处理：")));
        }
    }

    /// What to do now: an option of this program, or what the error itself says.
    pub(crate) fn advice(&self, error: &Error) -> Option<String> {
        self.option_for(error).map(str::to_owned).or_else(|| self.hint(error.recovery()))
    }

    /// The error's own sentence without the candidates.
    pub(crate) fn sentence(&self, error: &Error) -> String {
        match self.lang {
            Lang::Zh => error.message_zh(),
            Lang::En => error.clone().candidates(Vec::new()).to_string(),
        }
    }

    /// Why one customs message of several was refused: its sentence, and the option that is another way out.
    pub(crate) fn refusal(&self, error: &Error) -> String {
        let sentence = self.sentence(error);
        if error.kind() != ErrorKind::DocumentSigned {
            return sentence;
        }
        self.lang.pick(
            format!("{sentence}; --replace-signature takes that signature out and signs anew"),
            format!("{sentence}；--replace-signature 可去除原签名并重新签名"),
        )
    }

    /// Where an option of this program is the way out.
    fn option_for(&self, error: &Error) -> Option<&'static str> {
        Some(match error.kind() {
            ErrorKind::OutputFailed => return self.option_for_output(error),
            ErrorKind::DeclarantMismatch => self.lang.pick(
                "choose the declarant's certificate with --entity-code, correct the message, or add --even-another-declarant.",
                "用 --entity-code 选择申报单位的证书、更正报文，或加 --even-another-declarant。",
            ),
            ErrorKind::Cancelled => self.lang.pick(
                "repeat the command to go on: what is done is not done again.",
                "如需继续请重新执行命令：已完成的不会重复处理。",
            ),
            ErrorKind::TriesUnknown => {
                self.lang.pick("add --try-again if you are sure of the PIN.", "如确信口令正确，请加 --try-again。")
            }
            ErrorKind::LastTry => self.lang.pick(
                "add --spend-last-try if you are sure of the PIN; a wrong one locks it.",
                "如确信口令正确，请加 --spend-last-try；口令错误将锁定。",
            ),
            ErrorKind::PinIncorrect | ErrorKind::PukIncorrect | ErrorKind::LoginFailed
                if error.recovery() == Recovery::AskAdministrator =>
            {
                self.lang.pick(
                    "ask the maker for the device's dialect before trying again: the PIN may be right.",
                    "再试之前请向厂商确认设备的方言：口令可能是正确的。",
                )
            }
            ErrorKind::PinLength | ErrorKind::PinEncoding | ErrorKind::PinEmpty if error.is_of_unlock_code() => {
                self.lang.pick(UNLOCK_CODE.0, UNLOCK_CODE.1)
            }
            ErrorKind::PukIncorrect => self.lang.pick(UNLOCK_CODE.0, UNLOCK_CODE.1),
            ErrorKind::SeveralShields | ErrorKind::SeveralCredentials => self.lang.pick(
                "choose with --entity-code, --card, --fingerprint or, by its place, --credential (see: shield list).",
                "用 --entity-code、--card、--fingerprint 选择，或按所在位置用 --credential 选择（见 shield list）。",
            ),
            // No PIN was wrong, or it was said.
            ErrorKind::SessionEnded => self.lang.pick(
                "unlock again by repeating the command: what is done is not done again.",
                "重新执行命令即可再次解锁：已完成的不会重复处理。",
            ),
            // The shield is there, and the reasons stand above.
            ErrorKind::NoCredential if !error.looked_at().is_empty() => self.lang.pick(
                "choose another certificate (see: shield list), or plug in the shield that has the right one.",
                "请选择其他证书（见 shield list），或插入含有该证书的共享盾。",
            ),
            ErrorKind::ServiceStopped | ErrorKind::ServiceMissing => self.lang.pick(
                "start the smart-card service (Debian: apt-get install pcscd), or name the vendor's driver with --module PATH.",
                "启动智能卡服务（Debian：apt-get install pcscd），或用 --module PATH 指定厂商驱动。",
            ),
            ErrorKind::NoReader | ErrorKind::NoShield => self.lang.pick(
                "plug the shield in; if it needs its vendor's driver, name that with --module PATH (see: shield doctor).",
                "插入共享盾；如需厂商驱动，请用 --module PATH 指定（见 shield doctor）。",
            ),
            _ => return self.option_for_device(error),
        })
    }

    /// The way out where a device or a card is not known well enough.
    fn option_for_device(&self, error: &Error) -> Option<&'static str> {
        Some(match error.kind() {
            ErrorKind::DialectUnproven => self.lang.pick(
                "add --try-dialect if its maker says that it speaks this dialect and three tries are left; a wrong dialect costs a try like a wrong PIN.",
                "如厂商确认设备使用该方言且剩余三次以上，请加 --try-dialect；方言错误与口令错误一样消耗次数。",
            ),
            ErrorKind::DialectMissing => self.lang.pick(
                "ask the maker for the dialect and name it in a profile, under [[cards.dialect]] (see: shield doctor), or name its driver with --module PATH.",
                "向厂商询问方言并写入配置文件的 [[cards.dialect]]（见 shield doctor），或用 --module PATH 指定其驱动。",
            ),
            ErrorKind::CardUnknown => self.lang.pick(
                "name the vendor's driver for this card with --module PATH.",
                "用 --module PATH 指定该卡的厂商驱动。",
            ),
            _ => return None,
        })
    }

    /// The way out where a result could not be written.
    fn option_for_output(&self, error: &Error) -> Option<&'static str> {
        Some(match error.io_kind()? {
            io::ErrorKind::AlreadyExists => self.lang.pick(
                "name another output, or add --overwrite to replace it.",
                "请指定其他输出，或加 --overwrite 替换。",
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.lang.pick(
                "make room on the disk and repeat: what is done is not done again.",
                "请清理磁盘空间后重试：已完成的不会重复处理。",
            ),
            _ => return None,
        })
    }

    pub(crate) fn hint(&self, recovery: Recovery) -> Option<String> {
        let lang = self.lang;
        let role = |role: Option<Role>| role.map_or("", |r| lang.role(r));
        let office = |role: Option<Role>| match role {
            Some(role) => lang.pick(role.office(), role.office_zh()),
            None => lang.pick("the issuing office", "发证机构"),
        };
        Some(match recovery {
            Recovery::InsertShield => lang.pick("plug the shield in and repeat.", "插入共享盾后重试。").to_owned(),
            Recovery::EnterPin(r) => match lang {
                Lang::En => format!("enter the right {} PIN.", role(r)).replace("  ", " "),
                Lang::Zh => format!("输入正确的{}口令。", role(r)),
            },
            Recovery::UnlockAtIssuer(r) => match lang {
                Lang::En => format!("ask {}.", office(r)),
                Lang::Zh => format!("联系{}。", office(r)),
            },
            Recovery::CloseOtherProgram => {
                lang.pick("close the other program, or let it finish.", "关闭其他程序或等待其完成。").to_owned()
            }
            Recovery::InstallDriver => lang
                .pick("install or repair the driver, or correct --module.", "安装或修复驱动，或更正 --module。")
                .to_owned(),
            Recovery::StartPcscd => lang.pick("start the smart-card service.", "启动智能卡服务。").to_owned(),
            Recovery::RenewCertificate => {
                lang.pick("renew the certificate, or choose another.", "更新证书或选择其他证书。").to_owned()
            }
            Recovery::FixDocument => {
                lang.pick("correct what is named above and repeat.", "按上述提示更正后重试。").to_owned()
            }
            Recovery::AskAdministrator => {
                lang.pick("ask the administrator of this computer.", "联系本机管理员。").to_owned()
            }
            Recovery::ChooseNewPin => lang
                .pick("choose another new one; what is in force stays as it is.", "请另选新的；现有的保持不变。")
                .to_owned(),
            Recovery::Retry => lang.pick("try again.", "重试。").to_owned(),
            _ => return None,
        })
    }
}

/// What to do about an unlock code that is not the right one.
const UNLOCK_CODE: (&str, &str) = (
    "enter the right unlock code: of the office whose PIN it is, not the PIN itself.",
    "输入正确的解锁码：由该口令所属机构发放，不是口令本身。",
);

/// Texts come from tokens and certificates too: nothing of them may steer the terminal.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || !steers(c) { c } else { '\u{fffd}' }).collect()
}

/// A text of a token or a certificate, on one line.
pub(crate) fn clean(text: &str) -> String {
    text.trim().chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// A text that somebody else wrote. One that fits stays beside what stands before it; a longer one stands below, each line behind a bar, so
/// that no line of it passes for one of ours. A line that had to be folded goes on behind a colon.
pub(crate) fn quote(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.trim().lines() {
        let line = clean(&line.replace('\t', "    "));
        let (mut rest, mut bar) = (line.as_str(), '|');
        while let Some(at) = fold(rest) {
            let (head, tail) = rest.split_at(at);
            lines.push((bar, head.trim_end().to_owned()));
            (rest, bar) = (tail, ':');
        }
        lines.push((bar, rest.to_owned()));
    }
    match lines.as_slice() {
        [(_, one)] => format!(" {one}"),
        many => many.iter().map(|(bar, line)| format!("\n  {bar} {line}")).collect(),
    }
}

/// Where a line that is wider than a terminal is folded: behind its last space, so that no amount is torn, or where it has none in the
/// middle. Chinese characters take two columns.
fn fold(line: &str) -> Option<usize> {
    let (mut columns, mut space) = (0, None);
    for (at, c) in line.char_indices() {
        columns += if u32::from(c) >= 0x1100 { 2 } else { 1 };
        if columns > 72 {
            return Some(space.unwrap_or(at));
        }
        if c == ' ' {
            space = Some(at + 1);
        }
    }
    None
}

/// Whether a text is shown as it is: lines and tabs beside characters that everybody sees.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// Control characters, the ones that turn the direction of writing, and the ones that nobody sees.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(
            c,
            '\u{34f}' | '\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        )
        || matches!(c, '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{e0000}'..='\u{e007f}')
        || matches!(c, '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}')
        || matches!(c, '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}
