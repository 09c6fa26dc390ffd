//! `sign-declaration`: many customs messages in one unlock. A bad document does not stop the others; a refused PIN stops all.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared_shield::batch::{self, concerns_one_document};
use shared_shield::format::xmldsig;
use shared_shield::{
    Content, Digest, DigestAlgorithm, Error, ErrorKind, Receipt, Result, Role, Session, Shield, check_output,
};

use crate::args::Global;
use crate::args_ceb::SignDeclaration;
use crate::dialect;
use crate::done::{self, Output};
use crate::exit::Exit;
use crate::messages::{Tally, Terms};
use crate::pin::Asker;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::spared;
use crate::words;

/// One document with the place of its output.
#[derive(Clone)]
struct Job {
    file: PathBuf,
    output: PathBuf,
    /// What the document was when it was looked at: that is signed, and nothing else.
    planned: Option<Digest>,
}

/// What became of the documents, and the first reason why one was not signed.
#[derive(Default)]
struct Became {
    tally: Tally,
    first: Option<Exit>,
}

impl Became {
    fn fail(&mut self, exit: Exit) {
        self.tally.refused += 1;
        self.first.get_or_insert(exit);
    }
}

struct Run<'r> {
    global: &'r Global,
    args: &'r SignDeclaration,
    screen: &'r Screen,
    shield: Shield,
    bar: ProgressBar,
}

pub(crate) fn run(global: &Global, args: &SignDeclaration, screen: &Screen) -> Result<Exit> {
    let mut asker = Asker::new(&args.signing.pin, screen)?;
    let jobs = jobs(args)?;
    spared::check(global, &[], jobs.iter().map(|j| j.output.as_path()))?;
    let shield = reach::shield(global, Role::Customs, &args.signing.choice, args.signing.even_outside_validity)?;
    let run = Run { global, args, screen, shield, bar: bar(jobs.len()) };
    let mut became = Became::default();
    done::sweep(&jobs.iter().map(|j| j.output.as_path()).collect::<Vec<_>>());
    let todo = run.plan(jobs, &mut became)?;
    if todo.is_empty() {
        return Ok(run.close(&became));
    }
    fs::create_dir_all(&args.out_dir).map_err(|e| {
        Error::new(ErrorKind::OutputFailed, "make folder").io(&e).detail(args.out_dir.display().to_string())
    })?;
    let todo = run.writable(todo, &mut became);
    if todo.is_empty() {
        return Ok(run.close(&became));
    }
    let whose = (Role::Customs, &args.signing.choice.selector());
    let done = dialect::tried((global, screen), &run.shield, whose, || run.sign_all(&todo, &mut asker, &mut became));
    match done {
        Ok(()) => Ok(run.close(&became)),
        Err(error) => {
            run.bar.suspend(|| screen.error(&error));
            run.close(&became);
            Ok(Exit::from(&error))
        }
    }
}

/// Where each output goes. Two inputs for one output, or an output that is an input, would lose a document.
fn jobs(args: &SignDeclaration) -> Result<Vec<Job>> {
    let items = batch::files(&args.files, &args.out_dir)?;
    Ok(items.into_iter().map(|item| Job { file: item.input, output: item.output, planned: None }).collect())
}

/// Drawn only where stderr is a terminal, and only where there is something to wait for.
pub(crate) fn bar(documents: usize) -> ProgressBar {
    let length = u64::try_from(documents).unwrap_or(u64::MAX);
    let target = if documents > 1 { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

impl Run<'_> {
    fn say(&self, text: String) {
        self.bar.suspend(|| self.screen.line(text));
    }

    /// A document's own failure: said, counted, and the others go on.
    fn failed(&self, file: &Path, error: &Error, became: &mut Became) {
        became.fail(error.into());
        let (name, why) = (clean(&file.display().to_string()), self.screen.refusal(error));
        self.say(self.screen.lang.pick(format!("refused {name}: {why}"), format!("拒绝 {name}：{why}")));
    }

    fn terms(&self) -> Terms<'_> {
        Terms { message: &self.args.message, signing: &self.args.signing }
    }

    /// Looks at every document before anybody is asked for a PIN: which are done, which cannot be signed.
    fn plan(&self, jobs: Vec<Job>, became: &mut Became) -> Result<Vec<Job>> {
        let mut todo = Vec::new();
        for mut job in jobs {
            match self.look(&mut job) {
                Ok(Output::Absent) => todo.push(job),
                Ok(Output::Other(..)) if self.args.signing.overwrite && done::is_ordinary(&job.output) => {
                    todo.push(job)
                }
                Ok(present) => {
                    self.bar.inc(1);
                    self.leave(&job, present, became);
                }
                Err(error) if concerns_one_document(&error) => {
                    self.bar.inc(1);
                    self.failed(&job.file, &error, became);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(todo)
    }

    /// Nobody is asked for a PIN where an output could not be written.
    fn writable(&self, todo: Vec<Job>, became: &mut Became) -> Vec<Job> {
        let mut able = Vec::new();
        for job in todo {
            match check_output(&job.output) {
                Ok(()) => able.push(job),
                Err(error) => {
                    self.bar.inc(1);
                    self.failed(&job.file, &error, became);
                }
            }
        }
        able
    }

    /// An output that is there already: this document, done before, or something that is left as it is.
    fn leave(&self, job: &Job, present: Output, became: &mut Became) {
        let name = clean(&job.output.display().to_string());
        let lang = self.screen.lang;
        match present {
            Output::Done => {
                became.tally.before += 1;
                self.say(lang.pick(format!("skipped {name}: done before"), format!("跳过 {name}：已完成")));
            }
            Output::Other(en, zh) => {
                became.fail(Exit::File);
                let way_out = match (done::is_ordinary(&job.output), self.args.signing.overwrite) {
                    (true, _) if done::is_protected(&job.output) => {
                        lang.pick("; a write-protected file is not replaced", "；写保护的文件不会被替换")
                    }
                    (true, false) => lang.pick("; --overwrite replaces it", "；如需替换请用 --overwrite"),
                    (true, true) => "",
                    (false, _) => lang.pick("; only an ordinary file is replaced", "；只能替换普通文件"),
                };
                let said = lang.pick(
                    format!("refused {name}: it exists and was left as it is, because {en}"),
                    format!("拒绝 {name}：文件已存在且{zh}，保持不变"),
                );
                self.say(said + way_out);
            }
            Output::Absent => {
                became.fail(Exit::File);
                self.say(lang.pick(
                    format!("refused {name}: another process wrote it and took it away; repeat"),
                    format!("拒绝 {name}：其他进程写入后又移走；请重试"),
                ));
            }
        }
    }

    fn look(&self, job: &mut Job) -> Result<Output> {
        tracing::trace!(file = %job.file.display(), "a document is looked at");
        let document = Content::file(&job.file).read(xmldsig::MAX_OCTETS, "read document")?;
        job.planned = Some(DigestAlgorithm::Sha256.of(&document)?);
        let pending = self.shield.prepare(self.terms().request(&job.file, Content::bytes(document.as_slice())))?;
        self.terms().present(&job.output, &document, pending.certificate(), self.shield.profile())
    }

    fn sign_all(&self, todo: &[Job], asker: &mut Asker<'_>, became: &mut Became) -> Result<()> {
        let mut session = None;
        for (index, job) in todo.iter().enumerate() {
            let left = todo.get(index..).unwrap_or_default();
            let ended = match self.sign_one(job, left, &mut session, asker) {
                Ok(receipt) => {
                    became.tally.signed += 1;
                    let (name, facts) =
                        (clean(&job.output.display().to_string()), words::receipt(&receipt, self.screen.lang));
                    self.say(
                        self.screen.lang.pick(format!("signed {name}: {facts}"), format!("已签名 {name}：{facts}")),
                    );
                    Ok(())
                }
                Err(error) if done::is_there(&error) => {
                    self.look(&mut job.clone()).map(|present| self.leave(job, present, became))
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => {}
                Err(error) if concerns_one_document(&error) => self.failed(&job.file, &error, became),
                Err(error) => {
                    self.name_the_rest(left, became);
                    return Err(error);
                }
            }
            self.bar.inc(1);
        }
        Ok(())
    }

    /// Where a batch stops in the middle, a person wants to know which documents are left; where nothing was signed, all are.
    fn name_the_rest(&self, left: &[Job], became: &mut Became) {
        became.tally.not_tried = left.len();
        for job in left.iter().filter(|_| became.tally.signed > 0) {
            let name = clean(&job.file.display().to_string());
            self.say(self.screen.lang.pick(format!("not signed {name}"), format!("未签名 {name}")));
        }
    }

    /// Signs in the open session. Where its policy has ended it, a person (and nobody else) may open another one.
    fn sign_one(
        &self,
        job: &Job,
        left: &[Job],
        session: &mut Option<Session>,
        asker: &mut Asker<'_>,
    ) -> Result<Receipt> {
        let mut may_reopen = asker.is_terminal() && session.is_some();
        loop {
            let open = match session.take() {
                Some(open) => open,
                None => self.unlock(left, asker)?,
            };
            let overwrite = self.args.signing.overwrite;
            let signed = self.document(job).and_then(|document| {
                let request = self.terms().request(&job.file, document);
                done::write(&job.output, overwrite, |out| open.sign(request, &self.global.wait(), out))
            });
            match signed {
                Err(e) if e.kind() == ErrorKind::SessionEnded && may_reopen => {
                    self.bar.suspend(|| self.screen.note(self.screen.sentence(&e)));
                    may_reopen = false;
                }
                other => {
                    *session = Some(open);
                    return other;
                }
            }
        }
    }

    /// The octets that are signed: those that were looked at, or none.
    fn document(&self, job: &Job) -> Result<Content> {
        let document = Content::file(&job.file).read(xmldsig::MAX_OCTETS, "read document")?;
        if job.planned.as_ref() != Some(&DigestAlgorithm::Sha256.of(&document)?) {
            return Err(Error::new(ErrorKind::DocumentChanged, "read document"));
        }
        Ok(Content::bytes(document))
    }

    fn unlock(&self, left: &[Job], asker: &mut Asker<'_>) -> Result<Session> {
        let names: Vec<_> =
            left.iter().take(3).filter_map(|j| j.file.file_name()).map(|n| clean(&n.to_string_lossy())).collect();
        let more = if left.len() > names.len() { ", ..." } else { "" };
        let text = self.screen.lang.pick(
            format!(
                "{} customs message{}: {}{more}",
                left.len(),
                if left.len() == 1 { "" } else { "s" },
                names.join(", ")
            ),
            format!("{} 份海关报文：{}{more}", left.len(), names.join("、")),
        );
        asker.run(self.args.signing.consent(), |prompt, consent| {
            let unlock = self.terms().unlock(text.clone(), consent);
            self.bar.suspend(|| self.shield.unlock(unlock, prompt, &self.global.wait()))
        })
    }

    fn close(&self, became: &Became) -> Exit {
        self.bar.finish_and_clear();
        self.screen.line(became.tally.text(self.screen.lang));
        became.tally.exit(became.first)
    }
}
