//! Panics are caught at the border and come back as errors; they print nothing.
//!
//! A cdylib and a staticlib carry a standard library of their own, and with it a panic hook of their own: the host's terminal
//! and the host's hook are not touched. The hook that is there is kept and called for every other thread, so that even a
//! program which links this library together with other Rust code keeps its own messages. Silent are the threads that are
//! inside a call of this library, and the library's own threads, which are named `shield-…`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::sync::Once;

#[cfg(panic = "abort")]
compile_error!("shared-shield-ffi catches panics at the border: build it with panic = \"unwind\"");

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static WHERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// File name and line; never the message, which could quote a document, and never a folder of the machine that built this.
fn place(info: &PanicHookInfo<'_>) -> Option<String> {
    let location = info.location()?;
    let file = Path::new(location.file()).file_name()?.to_string_lossy().into_owned();
    Some(format!("{file}:{}", location.line()))
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let inside = DEPTH.try_with(Cell::get).unwrap_or(0) > 0;
            if inside {
                let _ = WHERE.try_with(|w| w.try_borrow_mut().map(|mut w| *w = place(info)));
            }
            let ours = || std::thread::current().name().is_some_and(|n| n.starts_with("shield-"));
            if !inside && !ours() {
                before(info);
            }
        }));
    });
}

/// Counts a thread in or out of the library for as long as it lives.
struct Inside(u32);

impl Inside {
    fn set(depth: u32) -> Self {
        Inside(DEPTH.replace(depth))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Runs a call of C. A panic becomes its place.
pub(crate) fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    install();
    let _inside = Inside::set(DEPTH.get().saturating_add(1));
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        forget_unless_plain(payload);
        WHERE.take().unwrap_or_else(|| "an unknown place".to_owned())
    })
}

/// Runs the host's code, whose panics are not ours to silence.
pub(crate) fn outside<R>(work: impl FnOnce() -> R) -> R {
    let _outside = Inside::set(0);
    work()
}

/// Dropping a payload runs code that may panic again; a text does not.
fn forget_unless_plain(payload: Box<dyn Any + Send>) {
    if !payload.is::<&str>() && !payload.is::<String>() {
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_its_place_without_the_message_and_the_folder() {
        let caught = guarded(|| panic!("the document says 12345678")).unwrap_err();
        assert!(caught.starts_with("quiet.rs:"), "{caught}");
        assert!(!caught.contains("1234"), "{caught}");
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(DEPTH.get(), 0);
    }

    /// Runs in a process of its own, whose stderr is then read.
    #[test]
    fn our_panics_are_silent_and_the_hosts_are_heard() {
        if std::env::var_os("SHIELD_PANIC_STORY").is_some() {
            assert!(guarded(|| panic!("inside a call")).is_err());
            for name in ["shield-lease", "host"] {
                let thread = std::thread::Builder::new().name(name.to_owned());
                assert!(thread.spawn(move || panic!("on thread {name}")).unwrap().join().is_err());
            }
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["quiet::tests::our_panics_are_silent_and_the_hosts_are_heard", "--exact", "--nocapture"])
            .env("SHIELD_PANIC_STORY", "1")
            .output()
            .unwrap();
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{out}");
        assert!(!said.contains("inside a call") && !said.contains("on thread shield-lease"), "{said}");
        assert!(said.contains("on thread host"), "{said}");
    }

    #[test]
    fn the_hosts_code_is_outside_while_it_runs() {
        let depth = guarded(|| (DEPTH.get(), outside(|| DEPTH.get()), DEPTH.get())).unwrap();
        assert_eq!(depth, (1, 0, 1));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert!(guarded(|| panic::panic_any(Bomb)).is_err());
    }
}
