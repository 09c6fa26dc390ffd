//! `sign-batch`: the messages of a folder or a manifest in one unlock, by several threads, with a journal.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use shared_shield::batch::{self, Batch, Item, Journal, Outcome, Plan, Present, Report};
use shared_shield::{Certificate, Content, Error, ErrorKind, Result, Role, Session, Shield, Wait};

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
        let batch = Batch {
            items: self.items,
            journal: self.journal,
            request: &request,
            present: &present,
            settled: &settled,
            wait: &|| interrupt::begun(stop, wait()),
            threads: args.threads.map_or(THREADS, NonZeroUsize::get),
            overwrite: args.signing.overwrite,
            again: args.again,
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

    fn signed(&self, batch: &Batch<'_>, plan: Plan, asker: &mut Asker<'_>) -> Report {
        match self.unlock(plan.to_sign(), asker) {
            Ok(session) => batch.sign(plan, &session),
            Err(why) => batch.unsigned(plan, Some(why)),
        }
    }

    fn unlock(&self, documents: usize, asker: &mut Asker<'_>) -> Result<Session> {
        interrupt::begun(self.stop, self.global.wait()).check("sign batch")?;
        let first = self.items.first().and_then(|i| i.input.file_name()).map(|n| clean(&n.to_string_lossy()));
        let first = first.unwrap_or_default();
        let text = self.screen.lang.pick(
            format!("a batch of {documents} customs messages, the first in the list is {first}"),
            format!("批量签名 {documents} 份海关报文，列表首份为 {first}"),
        );
        asker.run(self.args.signing.consent(), |prompt, consent| {
            let wait = self.global.wait().with_cancel(self.stop.clone());
            self.shield.unlock(self.terms().unlock(text.clone(), consent), prompt, &wait)
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
        let exit = report.stopped.as_ref().map_or_else(|| tally.exit(first), Exit::from);
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
        let moved = report.outcomes.iter().filter(|o| matches!(o, Outcome::Before { moved: true })).count();
        if moved > 0 {
            self.screen.line(self.screen.lang.pick(
                format!("{moved} of those done before are not at their outputs any more; --again signs them anew"),
                format!("先前已完成的报文中有 {moved} 份的输出已不在原处；如需重新签名请用 --again"),
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
            "suite": receipt.suite.to_string(),
            "output_sha256": output.hex(),
            "notes": receipt.notes.iter().map(shared_shield::Note::text).collect::<Vec<_>>(),
        }),
        Outcome::Before { moved } => json!({ "state": "before", "output_moved": moved }),
        Outcome::Refused(error) => json!({ "state": "refused", "error": words::error_json(error) }),
        _ => json!({ "state": "not-tried" }),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}
