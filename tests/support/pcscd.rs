//! A private pcscd for tests, with virtual readers (vpcd) whose cards are whatever connects to their TCP ports.
//!
//! libpcsclite reads `PCSCLITE_CSOCK_NAME` once, so a test that uses it in its own process is a [`story`]. One that only asks
//! foreign tools can do with [`Pcscd::start`], any number of times. Needs `softhsm.rs` beside it:
//!
//! ```ignore
//! #[path = "support/pcscd.rs"]
//! mod pcscd;
//! #[path = "support/softhsm.rs"]
//! mod softhsm;
//!
//! #[test]
//! fn readers_are_listed() {
//!     pcscd::story("readers_are_listed", &["Virtual PCD"], |pcscd| {
//!         // the library finds pcscd.readers() now; pcscd.kill(), pcscd.restart()
//!     });
//! }
//! ```

#![allow(dead_code, unreachable_pub)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::softhsm::child;

/// The service, where Debian and Ubuntu install it.
const SERVICE: &str = "/usr/sbin/pcscd";
/// The driver of virtual readers, likewise.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// Where libpcsclite finds the service's socket.
pub const SOCKET: &str = "PCSCLITE_CSOCK_NAME";
/// A service is there after some 30 ms, on a busy machine later.
const PATIENCE: Duration = Duration::from_secs(10);

/// The daemon binds its compiled-in socket and only one can; but a socket that is handed over, as systemd does, is used as it is.
/// That socket is this script's standard output. When its input ends, because it shall or because the test is no more, it kills.
const SCRIPT: &str = r#"
more=; /usr/sbin/pcscd --help 2>/dev/null | grep -q -e --disable-polkit && more=--disable-polkit
sh -c 'exec 3>&1 >"$0/log" 2>&1; LISTEN_FDS=1 LISTEN_PID=$$ exec /usr/sbin/pcscd -f -e $1 -c "$0/readers"' "$0" "$more" &
exec >/dev/null
echo $! >"$0/pid"
read -r _
kill -9 $!
wait
"#;

/// A reader of a private service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// As PC/SC lists it.
    pub name: String,
    /// Who connects here is a card in it.
    pub port: u16,
}

/// A private service. It ends with this value, and with the process.
#[derive(Debug)]
pub struct Pcscd {
    dir: PathBuf,
    socket: PathBuf,
    names: Vec<String>,
    readers: Vec<Reader>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    shell: Child,
    /// Open as long as the service shall run.
    input: ChildStdin,
}

/// Runs `body` in a child process whose libpcsclite talks to a private service with these readers (see [`Pcscd::start`]). `name` is
/// the test's path in its file, as `cargo test` shows it.
pub fn story(name: &str, readers: &[&str], body: impl FnOnce(&Pcscd)) {
    if !child::inside()
        && let Some(reason) = missing()
    {
        return child::skip(name, &reason);
    }
    child::story(name, env, |_| body(&Pcscd::here(readers)));
}

/// Why no private service can run here.
pub fn missing() -> Option<String> {
    let lacks = |path: &str, package: &str| {
        let reason = format!("{path} is not there (apt-get install {package})");
        (!Path::new(path).exists()).then_some(reason)
    };
    lacks(SERVICE, "pcscd").or_else(|| lacks(DRIVER, "vsmartcard-vpcd"))
}

/// Variables for the child of another kind of story; its body calls [`Pcscd::here`].
pub fn env(_: &Path) -> child::Env {
    vec![(SOCKET, scratch().join("comm").into())]
}

/// A new folder with a short name: a socket's path has room for 107 octets, and stories have long names.
fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("shield-pcscd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Waits until the service at this socket says that a card is in the reader, or that none is; it looks every 400 ms.
pub fn wait_for_card(socket: &Path, reader: &str, present: bool) {
    let start = Instant::now();
    while has_card(socket, reader) != present {
        assert!(start.elapsed() < PATIENCE, "a card in {reader}: still {}", !present);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As opensc-tool is told: a look from outside, so that it does not matter what this process loaded.
fn has_card(socket: &Path, reader: &str) -> bool {
    let output = Command::new("opensc-tool").arg("--list-readers").env(SOCKET, socket).stdin(Stdio::null()).output();
    let text = String::from_utf8(output.expect("opensc-tool runs").stdout).unwrap();
    text.lines().any(|line| line.trim_end().ends_with(reader) && line.split_whitespace().nth(1) == Some("Yes"))
}

impl Pcscd {
    /// A service at a new socket. (Foreign tools only: see [`story`] for this process.) Each name makes **two** readers, "NAME 00 00" and "NAME 00 01". No name twice; eight are the most. yubico-piv-tool and ykcs11 by themselves only look at readers named "Yubico YubiKey ...".
    pub fn start(names: &[&str]) -> Self {
        Pcscd::at(&scratch(), names)
    }

    /// The service that this process's libpcsclite looks for: once, in a child with the variables of [`env`].
    pub fn here(names: &[&str]) -> Self {
        let socket = PathBuf::from(std::env::var_os(SOCKET).expect("only in a child with pcscd::env"));
        Pcscd::at(socket.parent().unwrap(), names)
    }

    fn at(dir: &Path, names: &[&str]) -> Self {
        assert!(names.iter().enumerate().all(|(i, n)| !names[..i].contains(n)), "readers of one name: {names:?}");
        let mut pcscd = Pcscd {
            dir: dir.to_owned(),
            socket: dir.join("comm"),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            readers: Vec::new(),
            running: Mutex::new(None),
        };
        // Between a look at a port and its use somebody else may take it.
        for _ in 0..5 {
            pcscd.choose_ports();
            if pcscd.launch() {
                return pcscd;
            }
            pcscd.kill();
        }
        panic!("no private pcscd:\n{}", pcscd.log());
    }

    /// Where clients find it.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Two for each name, in order.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Its folder: free for a test's files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A program that talks to this service.
    pub fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env(SOCKET, &self.socket).stdin(Stdio::null());
        command
    }

    /// The daemon's process id, for signals.
    pub fn pid(&self) -> u32 {
        self.read_pid().expect("it runs")
    }

    fn read_pid(&self) -> Option<u32> {
        fs::read_to_string(self.dir.join("pid")).ok()?.strip_suffix('\n')?.parse().ok()
    }

    /// Kills it as SIGKILL does. Clients get "no service" until [`restart`](Self::restart); cards stay in their readers.
    pub fn kill(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { mut shell, input }) = running {
            drop(input);
            let _ = shell.wait();
        }
        let _ = fs::remove_file(self.dir.join("pid"));
    }

    /// Another daemon at the same socket with the same readers; kills first what still runs.
    pub fn restart(&self) {
        self.kill();
        for _ in 0..5 {
            if self.launch() {
                return;
            }
            self.kill();
        }
        panic!("no pcscd at its old place:\n{}", self.log());
    }

    /// The last that the daemon said.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        text.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Waits until pcscd says that a card is in the reader, or that none is.
    pub fn wait_for_card(&self, reader: &Reader, present: bool) {
        wait_for_card(&self.socket, &reader.name, present);
    }

    /// Whether pcscd says now that a card is in the reader.
    pub fn has_card(&self, reader: &Reader) -> bool {
        has_card(&self.socket, &reader.name)
    }

    /// Below the range from which the system gives ports to outgoing connections, and for each process its own first choice.
    fn choose_ports(&mut self) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        let next = || {
            let pair = (std::process::id().wrapping_mul(16) + NEXT.fetch_add(1, Ordering::Relaxed)) % 6000;
            20_000 + 2 * u16::try_from(pair).unwrap()
        };
        self.readers.clear();
        for name in &self.names {
            let port = (0..6000).map(|_| next()).find(|p| free(*p) && free(p + 1)).expect("two free ports");
            let reader = |slot| Reader { name: format!("{name} 00 {slot:02X}"), port: port + slot };
            self.readers.extend([reader(0), reader(1)]);
        }
    }

    /// Whether the daemon came up and has its ports.
    fn launch(&self) -> bool {
        let conf = self.dir.join("readers");
        fs::create_dir_all(&conf).unwrap();
        let mut file = File::create(conf.join("vpcd")).unwrap();
        for (number, (name, pair)) in self.names.iter().zip(self.readers.chunks(2)).enumerate() {
            // The driver tells its readers apart by their last number alone: a second pair in the same library would be the first.
            let driver = self.dir.join(format!("driver{number}.so"));
            fs::copy(DRIVER, &driver).unwrap();
            let (driver, port) = (driver.display(), pair[0].port);
            let device = format!("DEVICENAME /dev/null:0x{port:X}\nLIBPATH {driver}\nCHANNELID 0x{port:X}");
            writeln!(file, "FRIENDLYNAME {name:?}\n{device}\n").unwrap();
        }
        let _ = fs::remove_file(&self.socket);
        let listener = UnixListener::bind(&self.socket).unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(listener))
            .stderr(File::create(self.dir.join("shell")).unwrap())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        *self.running.lock().unwrap() = Some(Running { shell, input });
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.read_pid() {
                Some(pid) if self.listens(pid) => return true,
                Some(pid) if !Path::new(&format!("/proc/{pid}/fd")).exists() => return false,
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        false
    }

    /// Whether this very process listens on each reader's port. (To connect would be to insert a card.)
    fn listens(&self, pid: u32) -> bool {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let own: Vec<_> = links.filter_map(|l| fs::read_link(l.path()).ok()).collect();
        self.readers.iter().all(|reader| {
            let end = format!(":{:04X}", reader.port);
            table.lines().any(|line| {
                let word: Vec<_> = line.split_whitespace().collect();
                // Local address, state (0A: listening) and inode.
                word.len() > 9
                    && word[1].ends_with(&end)
                    && word[3] == "0A"
                    && own.contains(&PathBuf::from(format!("socket:[{}]", word[9])))
            })
        })
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
