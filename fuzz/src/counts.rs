//! What a run of a target has done: told when the program ends, and read by `fuzz/run`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A program is one target.
static COUNTS: OnceLock<Counts> = OnceLock::new();

struct Counts {
    name: &'static str,
    /// What an input can come to, in the words of the sum; the first is the end of the way.
    ways: &'static [&'static str],
    inputs: AtomicU64,
    came: [AtomicU64; 2],
}

unsafe extern "C" {
    fn atexit(call: extern "C" fn()) -> i32;
}

extern "C" fn print_sum() {
    let Some(Counts { name, ways, inputs, came }) = COUNTS.get() else { return };
    let came = ways.iter().zip(came).map(|(way, count)| format!(", {} {way}", count.load(Ordering::Relaxed)));
    eprintln!("{name}: {} inputs{}", inputs.load(Ordering::Relaxed), came.collect::<String>());
}

/// Names the target; its sum is printed at the end.
pub fn begin(name: &'static str, ways: &'static [&'static str]) {
    let _ = COUNTS.set(Counts { name, ways, inputs: AtomicU64::new(0), came: Default::default() });
    // SAFETY: the function takes nothing and gives nothing.
    unsafe { atexit(print_sum) };
}

/// Counts an input. The empty one, with which libFuzzer begins, is none: for a card it is the good one, so the end would always be reached.
pub fn add(input: &[u8], came: &[bool]) {
    let Some(counts) = COUNTS.get().filter(|_| !input.is_empty()) else { return };
    counts.inputs.fetch_add(1, Ordering::Relaxed);
    for (count, came) in counts.came.iter().zip(came) {
        count.fetch_add(u64::from(*came), Ordering::Relaxed);
    }
}
