//! Whoever waits long is told: on stderr, after one second, and then ever more seldom.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared_shield::Wait;

use crate::screen::Lang;

/// Seconds at which a line is due; after the last of them at each multiple of it.
const DUE: [u64; 4] = [1, 3, 5, 10];

/// The same wait, which tells.
pub(crate) fn told(wait: Wait, lang: Lang) -> Wait {
    // One call waits in several threads and one after the other: a line is for all of them.
    let last: Mutex<Option<Instant>> = Mutex::new(None);
    wait.with_progress(move |since| {
        let seconds = since.as_secs();
        let is_due = DUE.contains(&seconds) || seconds % 10 == 0;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_due || last.is_some_and(|then| then.elapsed() < Duration::from_millis(900)) {
            return;
        }
        *last = Some(Instant::now());
        let text = lang.pick(
            format!("waiting for the shield: it is working, or another program is using it ... {seconds} s"),
            format!("正在等待共享盾：它正在工作，或正被其他程序使用…… {seconds} 秒"),
        );
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    })
}
