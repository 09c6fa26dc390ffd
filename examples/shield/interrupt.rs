//! Ctrl-C, and being asked to end, where there is more to do than to end: an entry switches the terminal's echo on again, a batch says what it did.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use shared_shield::{Cancel, Result, Wait};
#[cfg(unix)]
use shared_shield::{Error, ErrorKind};

use crate::screen::Lang;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Write};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use shared_shield::Cancel;
    use signal_hook::consts::{SIGINT, SIGTERM};

    use crate::screen::Lang;

    /// What a shell makes of a program that Ctrl-C ended.
    const ENDED: i32 = 130;
    /// Whether Ctrl-C ends the program at once, as it does outside an entry and a batch; `None` where that cannot be switched.
    static ENDS: OnceLock<Option<Arc<AtomicBool>>> = OnceLock::new();
    /// Whether the first signal stops a batch and the second ends the program.
    static STOPS: AtomicBool = AtomicBool::new(false);

    /// How the terminal was before an entry, for as long as that lasts.
    static BEFORE: Mutex<Option<(File, Termios)>> = Mutex::new(None);

    fn keep(before: Option<(File, Termios)>) -> Option<(File, Termios)> {
        std::mem::replace(&mut *BEFORE.lock().unwrap_or_else(PoisonError::into_inner), before)
    }

    fn ends() -> Option<&'static AtomicBool> {
        let register = || {
            let ends = Arc::<AtomicBool>::default();
            let registered = signal_hook::flag::register_conditional_shutdown(SIGINT, ENDED, Arc::clone(&ends));
            registered.is_ok().then_some(ends)
        };
        ENDS.get_or_init(register).as_deref()
    }

    pub(crate) fn held<T>(entry: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(ends) = ends() else { return entry() };
        ends.store(false, Ordering::SeqCst);
        let terminal = File::open("/dev/tty").ok().and_then(|tty| tcgetattr(&tty).ok().map(|how| (tty, how)));
        keep(terminal);
        let typed = entry();
        keep(None);
        ends.store(!STOPS.load(Ordering::SeqCst), Ordering::SeqCst);
        typed
    }

    pub(crate) fn stop_first(stop: &Arc<Cancel>, lang: Lang) -> io::Result<()> {
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        STOPS.store(true, Ordering::SeqCst);
        if let Some(Some(ends)) = ENDS.get() {
            ends.store(false, Ordering::SeqCst);
        }
        let stop = Arc::clone(stop);
        let wait = move || {
            let mut signals = signals.forever();
            if signals.next().is_some() {
                stop.cancel();
                let text = lang.pick(
                    "stopping: the documents in work are finished; a second signal ends the program at once",
                    "正在停止：处理中的文档将完成；再次发送信号则立即结束",
                );
                // Where stderr is closed there is nobody to tell.
                let _ = writeln!(io::stderr().lock(), "{text}");
            }
            if let Some(signal) = signals.next() {
                // In the middle of an entry: the terminal echoes again.
                if let Some((tty, before)) = keep(None) {
                    let _ = tcsetattr(&tty, OptionalActions::Now, &before);
                }
                signal_hook::low_level::exit(128 + signal);
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
    }
}

/// Does an entry. Ctrl-C ends it and not the program: the terminal's echo is off and has to be switched on again first.
pub(crate) fn held<T>(entry: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(unix)]
    return unix::held(entry);
    #[cfg(not(unix))]
    entry()
}

/// Thrown by the first signal.
pub(crate) type Stop = Arc<Cancel>;

/// From now on the first Ctrl-C (or SIGTERM) throws what comes back, and the second ends the program at once. Not on Windows, where Ctrl-C ends it
/// as it always does.
pub(crate) fn stop_first(lang: Lang) -> Result<Stop> {
    let stop = Stop::default();
    #[cfg(unix)]
    unix::stop_first(&stop, lang).map_err(|e| Error::new(ErrorKind::Defect, "watch signals").io(&e))?;
    #[cfg(not(unix))]
    let _ = lang;
    Ok(stop)
}

/// Whether the switch is thrown; an entry that Ctrl-C ended comes back a moment before the signal has thrown it.
pub(crate) fn is_thrown(stop: &Stop) -> bool {
    const LOOKS: usize = 20;
    (0..LOOKS).any(|_| {
        let thrown = stop.is_cancelled();
        if !thrown {
            std::thread::sleep(Duration::from_millis(10));
        }
        thrown
    })
}

/// The wait of something that begins now. What is in work when a signal comes is finished; afterwards nothing begins.
pub(crate) fn begun(stop: &Stop, wait: Wait) -> Wait {
    if stop.is_cancelled() { wait.with_cancel(Arc::clone(stop)) } else { wait }
}
