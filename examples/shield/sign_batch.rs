//! `sign-batch`: the messages of a folder or a manifest in one unlock, by several threads, with a journal.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use shared_shield::batch::{self, Batch, Item, Journal, Outcome, Plan, Present, Report};
use shared_shield::{Certificate, Content, Error, ErrorKind, IdentifierSet, Result, Role, Session, Shield, Wait};

use crate::args::Global;
use crate::args_ceb::SignBatch;
use crate::declaration::bar;
use crate::dialect;
use crate::done::{self, Output};
use crate::exit::Exit;
use crate::interrupt::{self, Stop};
use crate::messages::{Tally, Terms};
use crate::notes;
use crate::pin::Asker;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

/// The journal's name in the folder of the outputs.
const JOURNAL: &str = ".shield-batch.journal";
/// Threads unless said: the shield is the bottleneck, and a few keep it busy.
const THREADS: usize = 4;

pub(crate) fn run(global: &Global, args: &SignBatch, screen: &Screen) -> Result<Exit> {
    let mut asker = Asker::new(&args.signing.pin, screen)?;
    let items = match (&args.folder, &args.manifest) {
        (Some(folder), _) => batch::folder(folder, &args.out_dir)?,
        (_, Some(manifest)) => batch::manifest(manifest, &args.out_dir)?,
        _ => return Err(Error::new(ErrorKind::Argument, "list documents").detail("--folder or --manifest")),
    };
    fs::create_dir_all(&args.out_dir).map_err(|e| {
        Error::new(ErrorKind::OutputFailed, "make folder").io(&e).detail(args.out_dir.display().to_string())
    })?;
    if items.is_empty() {
        let from = args.folder.as_ref().or(args.manifest.as_ref());
        let from = from.map(|path| clean(&path.display().to_string())).unwrap_or_default();
        screen.note(screen.lang.pick(
            format!("{from} names no message: a folder's are its files that end in .xml"),
            format!("{from} 中没有报文：目录中只取以 .xml 结尾的文件"),
        ));
    }
    let journal = Journal::open(&args.journal.clone().unwrap_or_else(|| args.out_dir.join(JOURNAL)))?;
    let shield = reach::shield(global, Role::Customs, &args.signing.choice, args.signing.even_outside_validity)?;
    done::sweep(&items.iter().map(|i| i.output.as_path()).collect::<Vec<_>>());
    let stop = interrupt::stop_first(screen.lang)?;
    let job = Job { global, args, screen, items: &items, journal: &journal, shield: &shield, stop: &stop };
    let report = job.run(&mut asker)?;
    Ok(job.tell(&report))
}

struct Job<'j> {
    global: &'j Global,
    args: &'j SignBatch,
    screen: &'j Screen,
    items: &'j [Item],
    journal: &'j Journal,
    shield: &'j Shield,
    /// Thrown by the first signal.
    stop: &'j Stop,
}

impl Job<'_> {
    fn run(&self, asker: &mut Asker<'_>) -> Result<Report> {
        let (bar, stop) = (bar(self.items.len()), self.stop);
        let settled = |_: usize, _: &Outcome| bar.inc(1);
        let (args, terms, profile) = (self.args, self.terms(), self.shield.profile());
        let request = |item: &Item, document: Content| terms.request(&item.input, document);
        let present =
            |item: &Item, document: &[u8], by: &Certificate| match terms.present(&item.output, document, by, profile) {
                Ok(Output::Absent) => Present::Absent,
                Ok(Output::Done) => Present::Done,
                Ok(Output::Other(en, _)) => Present::Other(en),
                Err(error) => Present::Other(error.to_string()),
            };
        // Several threads wait at a time: each of them telling so would be one too many.
        let longest = Duration::from_secs(self.global.wait);
        let wait = || Wait::at_most(longest);
        let keep: Vec<&Path> = self.global.files().chain(args.manifest.as_deref()).collect();
        let batch = Batch {
            items: self.items,
            journal: self.journal,
            request: &request,
            present: &present,
            settled: &settled,
            wait: &|| interrupt::begun(stop, wait()),
            threads: args.threads.map_or(THREADS, NonZeroUsize::get),
            suite: args.message.identifiers.map(IdentifierSet::suite),
            overwrite: args.signing.overwrite,
            again: args.again,
            keep: &keep,
        };
        let plan = batch.plan(self.shield)?;
        let report = match plan.to_sign() {
            0 => batch.unsigned(plan, None),
            _ => {
                let whose = (Role::Customs, &args.signing.choice.selector());
                dialect::tried((self.global, self.screen), self.shield, whose, || Ok(self.signed(&batch, plan, asker)))?
            }
        };
        bar.finish_and_clear();
        Ok(report)
    }

    fn terms(&self) -> Terms<'_> {
        Terms { message: &self.args.message, signing: &self.args.signing }
    }

    /// One unlock after the other at a terminal; elsewhere nobody is there to enter the PIN again.
    fn signed(&self, batch: &Batch<'_>, plan: Plan, asker: &mut Asker<'_>) -> Report {
        self.tell_beyond(&plan, asker.is_terminal());
        batch.sign_on(plan, &mut |left, ended| match ended {
            Some(ended) if !asker.is_terminal() => Err(ended),
            Some(ended) => {
                self.screen.note(self.screen.sentence(&ended));
                self.unlock(left, asker)
            }
            None => self.unlock(left, asker),
        })
    }

    /// Says before the PIN that one unlock does not sign all.
    fn tell_beyond(&self, plan: &Plan, is_terminal: bool) {
        let policy = self.shield.profile().policy(Role::Customs);
        let (all, most) = (plan.to_sign(), policy.signatures);
        if plan.beyond(&policy) == 0 {
            return;
        }
        self.screen.note(match is_terminal {
            true => self.screen.lang.pick(
                format!("{all} messages, and one PIN entry signs {most}: the PIN will be asked for again"),
                format!("共 {all} 份报文，每次输入口令最多签名 {most} 份：届时将再次要求输入口令"),
            ),
            false => self.screen.lang.pick(
                format!("{all} messages, and one PIN entry signs {most}: repeat the command for those that are left"),
                format!("共 {all} 份报文，每次输入口令最多签名 {most} 份：其余报文请再次运行本命令"),
            ),
        });
    }

    fn unlock(&self, documents: usize, asker: &mut Asker<'_>) -> Result<Session> {
        interrupt::begun(self.stop, self.global.wait()).check("sign batch")?;
        let first = self.items.first().and_then(|i| i.input.file_name()).map(|n| clean(&n.to_string_lossy()));
        let first = first.unwrap_or_default();
        let text = self.screen.lang.pick(
            format!("a batch of {documents} customs messages, the first in the list is {first}"),
            format!("批量签名 {documents} 份海关报文，列表首份为 {first}"),
        );
        let unlocked = asker.run(self.args.signing.consent(), |prompt, consent| {
            let wait = self.global.wait().with_cancel(self.stop.clone());
            self.shield.unlock(self.terms().unlock(text.clone(), consent), prompt, &wait)
        });
        // Ctrl-C in the middle of an entry stops the batch as it does elsewhere.
        unlocked.map_err(|error| match error.kind() {
            ErrorKind::PinDeclined if interrupt::is_thrown(self.stop) => Error::new(ErrorKind::Cancelled, "sign batch"),
            _ => error,
        })
    }

    /// Says what became of the batch, and how the program ends.
    fn tell(&self, report: &Report) -> Exit {
        let batch::Tally { signed, before, refused, not_tried, .. } = report.tally();
        let tally = Tally { signed, before, refused, not_tried };
        let first = report.outcomes.iter().find_map(|o| match o {
            Outcome::Refused(error) => Some(Exit::from(error)),
            _ => None,
        });
        let exit = match &report.stopped {
            // An unlock that was used up is no PIN that was wrong: the same command goes on.
            Some(error) if error.kind() == ErrorKind::SessionEnded && signed > 0 => Exit::Some,
            Some(error) => Exit::from(error),
            None => tally.exit(first),
        };
        let (screen, lang) = (self.screen, self.screen.lang);
        if self.journal.damaged() > 0 {
            let lines = self.journal.damaged();
            screen.note(lang.pick(
                format!("{lines} damaged lines of the journal were passed over"),
                format!("日志中有 {lines} 行损坏，已跳过"),
            ));
        }
        if let Some(error) = &report.stopped {
            screen.error(error);
        }
        if self.args.json {
            screen.json(&self.json(report, exit));
            return exit;
        }
        for (item, outcome) in self.items.iter().zip(&report.outcomes) {
            let name = clean(&item.input.display().to_string());
            if let Outcome::Refused(error) = outcome {
                screen.line(lang.pick(format!("refused {name}: "), format!("拒绝 {name}：")) + &self.why(item, error));
            }
        }
        notes::lines(self.items, report, lang).into_iter().for_each(|note| screen.line(note));
        self.tell_moved(report);
        self.tell_otherwise(report);
        screen.line(tally.text(lang));
        exit
    }

    /// Why a document was refused.
    fn why(&self, item: &Item, error: &Error) -> String {
        let sentence = self.screen.refusal(error);
        if !done::is_there(error) {
            return sentence;
        }
        if self.args.signing.overwrite || !done::is_ordinary(&item.output) {
            let zh = "输出位置已有其他内容，不是本报文的签名结果，且无法替换，保持不变";
            return self.screen.lang.pick(sentence, zh.to_owned());
        }
        self.screen.lang.pick(
            format!("{sentence}; --overwrite replaces it"),
            "输出文件已存在，且不是本报文的签名结果，保持不变；如需替换请用 --overwrite".to_owned(),
        )
    }

    /// Outputs may have been carried away to where they are sent from, or lost: a person has to know that they are not there.
    fn tell_moved(&self, report: &Report) {
        let moved =
            report.outcomes.iter().filter(|o| matches!(o, Outcome::Before { moved: true, renamed: None, .. })).count();
        if moved > 0 {
            self.screen.line(self.screen.lang.pick(
                format!("{moved} of those done before are not at their outputs any more; --again signs them anew"),
                format!("先前已完成的报文中有 {moved} 份的输出已不在原处；如需重新签名请用 --again"),
            ));
        }
    }

    /// What was done before under another name, and what another certificate signed: neither is what somebody expects who reads "done before".
    fn tell_otherwise(&self, report: &Report) {
        let lang = self.screen.lang;
        for (item, outcome) in self.items.iter().zip(&report.outcomes) {
            if let Outcome::Before { renamed: Some(name), .. } = outcome {
                let (now, name) = (clean(&item.input.display().to_string()), clean(name));
                self.screen.line(lang.pick(
                    format!("{now} was signed before as {name}; --again signs it under its new name"),
                    format!("{now} 先前已以 {name} 为名签名；如需以新名称重新签名请用 --again"),
                ));
            }
        }
        let Ok(now) = self.shield.credential(Role::Customs, &self.args.signing.choice.selector()) else { return };
        let other = |o: &&Outcome| matches!(o, Outcome::Before { by, .. } if *by != now.fingerprint);
        let others = report.outcomes.iter().filter(other).count();
        if others > 0 {
            self.screen.line(lang.pick(
                format!("{others} of those done before were signed by another certificate; --again signs them anew"),
                format!("先前已完成的报文中有 {others} 份由另一张证书签名；如需重新签名请用 --again"),
            ));
        }
    }

    fn json(&self, report: &Report, exit: Exit) -> Value {
        let tally = report.tally();
        let documents: Vec<Value> = self.items.iter().zip(&report.outcomes).map(|(i, o)| document_json(i, o)).collect();
        json!({
            "signed": tally.signed,
            "before": tally.before,
            "refused": tally.refused,
            "not_tried": tally.not_tried,
            "stopped": report.stopped.as_ref().map(words::error_json),
            "journal": self.journal.path().display().to_string(),
            "damaged_lines": self.journal.damaged(),
            "documents": documents,
            "exit": exit as u8,
        })
    }
}

fn document_json(item: &Item, outcome: &Outcome) -> Value {
    let path = |path: &PathBuf| path.display().to_string();
    let mut value = json!({ "input": path(&item.input), "output": path(&item.output) });
    let more = match outcome {
        Outcome::Signed { receipt, output } => json!({
            "state": "signed",
            "certNo": receipt.number,
            "certificate": receipt.fingerprint.to_string(),
            "suite": receipt.suite.to_string(),
            "output_sha256": output.hex(),
            "notes": receipt.notes.iter().map(shared_shield::Note::text).collect::<Vec<_>>(),
        }),
        Outcome::Before { moved, renamed, by } => json!({
            "state": "before",
            "output_moved": moved,
            "output_name": renamed,
            "certificate": by.to_string(),
        }),
        Outcome::Refused(error) => json!({ "state": "refused", "error": words::error_json(error) }),
        _ => json!({ "state": "not-tried" }),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}
