//! Which backend of trussed answers which of the applet's requests.

use trussed::backend::Backend as _;
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types;
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::Location;
use trussed_hpke::HpkeExtension;
use trussed_rsa_alloc::SoftwareRsa;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

/// Where a request can go besides trussed itself.
pub(crate) enum Backend {
    Auth,
    Rsa,
    Staging,
}

/// What the applet asks for besides trussed's own calls.
#[derive(Clone, Copy)]
pub(crate) enum Extension {
    Auth,
    Chunked,
    Hpke,
    WrapKeyToFile,
}

impl From<Extension> for u8 {
    fn from(extension: Extension) -> u8 {
        extension as u8
    }
}

impl TryFrom<u8> for Extension {
    type Error = Error;

    fn try_from(id: u8) -> Result<Self, Error> {
        let all = [Extension::Auth, Extension::Chunked, Extension::Hpke, Extension::WrapKeyToFile];
        all.into_iter().find(|e| u8::from(*e) == id).ok_or(Error::FunctionNotSupported)
    }
}

macro_rules! ids {
    ($($extension:ty => $id:ident,)*) => {
        $(impl ExtensionId<$extension> for Dispatch {
            type Id = Extension;
            const ID: Extension = Extension::$id;
        })*
    };
}

ids! {
    AuthExtension => Auth,
    ChunkedExtension => Chunked,
    HpkeExtension => Hpke,
    WrapKeyToFileExtension => WrapKeyToFile,
}

/// What the backends remember for the one client.
#[derive(Default)]
pub(crate) struct Context {
    auth: AuthContext,
    staging: StagingContext,
}

pub(crate) struct Dispatch {
    auth: AuthBackend,
    staging: StagingBackend,
}

impl Dispatch {
    pub(crate) fn new() -> Self {
        Dispatch { auth: AuthBackend::new(Location::Internal, FilesystemLayout::V1), staging: StagingBackend::new() }
    }
}

impl ExtensionDispatch for Dispatch {
    type BackendId = Backend;
    type Context = Context;
    type ExtensionId = Extension;

    fn core_request<P: Platform>(
        &mut self,
        backend: &Backend,
        context: &mut types::Context<Context>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let (core, own) = (&mut context.core, &mut context.backends);
        match backend {
            Backend::Auth => self.auth.request(core, &mut own.auth, request, resources),
            Backend::Rsa => SoftwareRsa.request(core, &mut (), request, resources),
            Backend::Staging => self.staging.request(core, &mut own.staging, request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        backend: &Backend,
        extension: &Extension,
        context: &mut types::Context<Context>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let (core, own) = (&mut context.core, &mut context.backends);
        macro_rules! staging {
            ($extension:ty) => {
                ExtensionImpl::<$extension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut own.staging,
                    request,
                    resources,
                )
            };
        }
        match (backend, extension) {
            (Backend::Auth, Extension::Auth) => {
                self.auth.extension_request_serialized(core, &mut own.auth, request, resources)
            }
            (Backend::Staging, Extension::Chunked) => staging!(ChunkedExtension),
            (Backend::Staging, Extension::Hpke) => staging!(HpkeExtension),
            (Backend::Staging, Extension::WrapKeyToFile) => staging!(WrapKeyToFileExtension),
            _ => Err(Error::RequestNotAvailable),
        }
    }
}
