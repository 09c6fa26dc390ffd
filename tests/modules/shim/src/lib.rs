//! A PKCS#11 module that stands between a client and a real module: it forwards every call, writes one line for each,
//! and answers wrongly where the control file says so. For tests only; `../README.md` has the environment and the grammar.
//!
//! Only `C_GetFunctionList` is exported. A client that asks for the 3.x interfaces first finds none and takes the 2.40
//! list, so nothing passes by uncounted.

mod call;
mod control;
mod hooks;
mod sm2;
mod table;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The environment as it was at the first `C_GetFunctionList`, and the real module's functions.
pub(crate) struct Shim {
    pub(crate) real: CK_FUNCTION_LIST,
    pub(crate) log: Option<PathBuf>,
    pub(crate) control: Option<PathBuf>,
    /// Holds the real module in memory for as long as `real` points into it.
    _library: libloading::Library,
}

static SHIM: OnceLock<Result<Shim, String>> = OnceLock::new();

/// None before `C_GetFunctionList`, and where the real module could not be loaded.
pub(crate) fn shim() -> Option<&'static Shim> {
    SHIM.get()?.as_ref().ok()
}

fn load() -> Result<Shim, String> {
    let path = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let module = path("SHIM_MODULE").ok_or("SHIM_MODULE is not set: it names the real module")?;
    let log = path("SHIM_LOG");
    if let Some(file) = &log {
        // A log that cannot be written would make every count zero; better no module at all.
        call::append(file, "").map_err(|e| format!("SHIM_LOG {}: {e}", file.display()))?;
    }
    let failed = |e: libloading::Error| format!("SHIM_MODULE {}: {e}", module.display());
    // SAFETY: the module is one that the test chose to load; its initialisers run as they would in the client itself.
    let library = unsafe { libloading::Library::new(&module) }.map_err(failed)?;
    let mut list = std::ptr::null_mut();
    // SAFETY: PKCS#11 gives the exported C_GetFunctionList this type, and `list` outlives the call.
    let rv = unsafe {
        let get: libloading::Symbol<unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
            library.get(b"C_GetFunctionList\0").map_err(failed)?;
        get(&raw mut list)
    };
    if rv != CKR_OK || list.is_null() {
        return Err(format!("SHIM_MODULE {}: C_GetFunctionList gave {rv:#x}", module.display()));
    }
    // SAFETY: the module answered CKR_OK, so `list` points to its function list, which lives as long as the library.
    let real = unsafe { *list };
    Ok(Shim { real, log, control: path("SHIM_CONTROL"), _library: library })
}

/// The one entry point (PKCS#11 v2.40, section 5.4): loads the real module on the first call.
///
/// # Safety
/// `list` is null or points to room for one pointer.
// SAFETY: PKCS#11 fixes this name and type; nothing else in this cdylib exports it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if let Err(why) = SHIM.get_or_init(load) {
        eprintln!("p11shim: {why}");
        return CKR_GENERAL_ERROR;
    }
    // SAFETY: not null, and by this function's contract room for one pointer. Nobody writes through it: clients read the list.
    unsafe { *list = (&raw const table::LIST).cast_mut() };
    CKR_OK
}
