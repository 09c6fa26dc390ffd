//! The PIV card that others wrote: `piv-authenticator` on the software platform of `trussed`, from power up to power down.
//!
//! A real card forgets who was logged in when it loses power. Here that is: the whole of it is built anew on the same storage.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use heapless::VecView;
use iso7816::Status;
use iso7816::command::CommandView;
use piv_authenticator::{Authenticator, Client, Options};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use trussed::ClientImplementation;
use trussed::backend::BackendId;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform;
use trussed::service::Service;
use trussed::types::CoreContext;
use trussed::virt::{StorageConfig, Store, StoreConfig, UserInterface};
use trussed_core::types::PathBuf;

use crate::dispatch::{Backend, Context, Dispatch};

/// Longest answer of the applet: more than the largest object that it stores.
const ANSWER: usize = 8192;

/// The applet, as the card's outer half sees it.
pub(crate) trait Applet {
    /// Answer data, or the status word that says why there is none. `command` is whole, never a link of a chain.
    fn respond(&mut self, command: &[u8]) -> Result<Vec<u8>, u16>;
}

struct Platform<'a> {
    rng: ChaCha8Rng,
    store: Store<'a>,
    ui: UserInterface,
}

impl<'a> platform::Platform for Platform<'a> {
    type R = ChaCha8Rng;
    type S = Store<'a>;
    type UI = UserInterface;

    fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    fn store(&self) -> Store<'a> {
        self.store
    }

    fn user_interface(&mut self) -> &mut UserInterface {
        &mut self.ui
    }
}

/// The service answers in the caller's thread. (trussed's own runner polls once a millisecond, and one signature asks it often.)
struct Inline<'a> {
    service: Service<Platform<'a>, Dispatch>,
    endpoint: [ServiceEndpoint<'a, Backend, Context>; 1],
}

impl platform::Syscall for Inline<'_> {
    fn syscall(&mut self) {
        self.service.process(&mut self.endpoint);
    }
}

impl<C: Client> Applet for Authenticator<C> {
    fn respond(&mut self, command: &[u8]) -> Result<Vec<u8>, u16> {
        let command = CommandView::try_from(command).map_err(|_| u16::from(Status::WrongLength))?;
        let mut answer = Box::new(heapless::Vec::<u8, ANSWER>::new());
        let view: &mut VecView<u8> = &mut *answer;
        Authenticator::respond(self, command, view)?;
        Ok(answer.to_vec())
    }
}

/// Powers the card in `state` up, lets `work` use it, and takes its power away again. Keys, PINs and objects stay in the folder.
///
/// With a `seed` a card draws the same random numbers in each run that does the same from an empty folder on.
pub(crate) fn powered<R>(state: &Path, seed: Option<u64>, work: impl FnOnce(&mut dyn Applet) -> R) -> R {
    let file = |name| StorageConfig::filesystem(state.join(name));
    let mut store =
        StoreConfig { internal: file("internal.bin"), external: file("external.bin"), volatile: StorageConfig::ram() };
    store.with_store(|store| {
        let channel = TrussedChannel::new();
        let (requester, responder) = channel.split().expect("a new channel");
        let platform = Platform { rng: rng(seed), store, ui: UserInterface::new() };
        let context = CoreContext::new(PathBuf::try_from("piv").expect("a short name"));
        let endpoint = [ServiceEndpoint::new(responder, context, BACKENDS)];
        let inline = Inline { service: Service::with_dispatch(platform, Dispatch::new()), endpoint };
        let client: ClientImplementation<'_, _, Dispatch> = ClientImplementation::new(requester, inline, None);
        work(&mut Authenticator::new(client, Options::default()))
    })
}

/// The order counts: the first that does not say "not mine" answers.
const BACKENDS: &[BackendId<Backend>] = &[
    BackendId::Custom(Backend::Rsa),
    BackendId::Custom(Backend::Auth),
    BackendId::Custom(Backend::Staging),
    BackendId::Core,
];

/// trussed's own test platform has a constant seed, with which any two cards make the same keys. trussed mixes in what it
/// stored at the last start, so that a fixed seed does not repeat itself after a restart either.
fn rng(seed: Option<u64>) -> ChaCha8Rng {
    match seed {
        Some(seed) => ChaCha8Rng::seed_from_u64(seed),
        None => ChaCha8Rng::from_seed(random()),
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    let mut source = File::open("/dev/urandom").expect("/dev/urandom");
    source.read_exact(&mut octets).expect("/dev/urandom");
    octets
}

/// The serial number of the card in `state`: in the file `serial` as a decimal number, made up when the file is not there.
pub(crate) fn serial(state: &Path) -> std::io::Result<u32> {
    let file = state.join("serial");
    if let Ok(text) = fs::read_to_string(&file) {
        return text.trim().parse().map_err(|_| std::io::Error::other(format!("{} is no number", file.display())));
    }
    // Eight digits, as on real keys.
    let serial = 10_000_000 + u32::from_be_bytes(random()) % 20_000_000;
    fs::write(&file, format!("{serial}\n"))?;
    Ok(serial)
}
