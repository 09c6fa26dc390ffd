//! The calls whose answers carry a count or a length, with buffers of fixed size: the one file with `unsafe`.
//!
//! cryptoki 0.12 takes a module's word for these: a slot or signature length of 2^40 aborts the process, a false object count
//! panics, a false attribute length reads out of bounds; it has no single-part C_Sign after a context-specific login, and no mechanism
//! whose number is neither PKCS#11's nor above CKM_VENDOR_DEFINED. Each function here goes when cryptoki has one that serves. Everything else is cryptoki's; its sessions are used here by handle.

#![allow(unsafe_code)] // C functions of a loaded module cannot be called in any other way

use std::path::Path;
use std::ptr;

use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FUNCTION_LIST, CK_MECHANISM, CK_MECHANISM_INFO, CK_OBJECT_HANDLE, CK_RV,
    CK_SLOT_ID, CK_TRUE, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_BUFFER_TOO_SMALL, CKR_OK,
};
use libloading::Library;

use super::ckr::{check, nonsense, status};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::policy;

/// Objects fetched by one C_FindObjects.
const FIND: usize = 32;

/// A module's function list (PKCS#11 2.40 §5.4), copied while the library stays loaded.
pub(super) struct Raw {
    list: CK_FUNCTION_LIST,
    _library: Library,
}

/// Calls a function of the list.
macro_rules! call {
    ($raw:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let function = $raw.list.$name.ok_or_else(|| missing(stringify!($name)))?;
        // SAFETY: the module gave this pointer for the function that PKCS#11 defines under this name, with this type. Pointers among
        // the arguments are NULL where PKCS#11 allows that, or come from buffers that outlive the call and whose length is passed.
        unsafe { function($($argument),*) }
    }};
}

fn missing(name: &'static str) -> Error {
    Error::new(ErrorKind::NotAModule, name).detail("the module has no such function")
}

fn ulong(count: usize) -> CK_ULONG {
    CK_ULONG::try_from(count).unwrap_or(CK_ULONG::MAX)
}

/// A count that the module gave for a buffer with room for `room`.
fn within(count: CK_ULONG, room: usize, operation: &'static str) -> Result<usize> {
    usize::try_from(count)
        .ok()
        .filter(|n| *n <= room)
        .ok_or_else(|| nonsense(operation, format!("{count} where there is room for {room}")))
}

impl Raw {
    /// Loads a library and takes its function list. Nothing is initialised.
    ///
    /// # Errors
    /// `NotAModule`, `ModuleFailed`.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let not_a_module = |what: String| Error::new(ErrorKind::NotAModule, "load module").detail(what);
        // SAFETY: loading runs the library's initialisers. The host named this file by its absolute path as its driver.
        let library = unsafe { Library::new(path) }.map_err(|e| not_a_module(e.to_string()))?;
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        // SAFETY: PKCS#11 fixes the type of the exported C_GetFunctionList; `list` has room for the pointer that it gives.
        let rv = unsafe {
            let get: libloading::Symbol<'_, unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
                library.get(b"C_GetFunctionList\0").map_err(|e| not_a_module(e.to_string()))?;
            get(&raw mut list)
        };
        if rv != CKR_OK {
            return Err(Error::new(ErrorKind::ModuleFailed, "C_GetFunctionList").status(status(rv)));
        }
        if list.is_null() {
            return Err(not_a_module("C_GetFunctionList gave no list".to_owned()));
        }
        // SAFETY: not NULL, and CKR_OK says that it points to the module's list, which stays while the library is loaded.
        let list = unsafe { list.read_unaligned() };
        let major = list.version.major;
        if !(2..=3).contains(&major) {
            return Err(not_a_module(format!("PKCS#11 version {major}")));
        }
        Ok(Raw { list, _library: library })
    }

    /// Slots with a token in them.
    ///
    /// # Errors
    /// `TokenAnswer` for more than [`policy::SLOTS_MAX`], and what the module answers.
    pub(super) fn slots(&self) -> Result<Vec<CK_SLOT_ID>> {
        const NAME: &str = "C_GetSlotList";
        let mut count: CK_ULONG = 0;
        // The question for the number makes a module look for new readers (§5.5); its answer is not used.
        check(call!(self, C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count)), NAME)?;
        let mut slots: Vec<CK_SLOT_ID> = vec![0; policy::SLOTS_MAX];
        count = ulong(slots.len());
        let rv = call!(self, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count));
        if rv == CKR_BUFFER_TOO_SMALL {
            return Err(nonsense(NAME, format!("more than {} slots", policy::SLOTS_MAX)));
        }
        check(rv, NAME)?;
        slots.truncate(within(count, slots.len(), NAME)?);
        Ok(slots)
    }

    /// Objects that fit a template, at most [`policy::OBJECTS_MAX`].
    ///
    /// # Errors
    /// `TokenAnswer` for a count that cannot be, and what the token answers.
    pub(super) fn find(&self, session: &Session, template: &[Attribute]) -> Result<Vec<ObjectHandle>> {
        let mut template: Vec<CK_ATTRIBUTE> = template.iter().map(Into::into).collect();
        let length = ulong(template.len());
        let rv = call!(self, C_FindObjectsInit(session.handle(), template.as_mut_ptr(), length));
        check(rv, "C_FindObjectsInit")?;
        let found = self.collect(session);
        let end = check(call!(self, C_FindObjectsFinal(session.handle())), "C_FindObjectsFinal");
        found.and_then(|objects| end.map(|()| objects))
    }

    fn collect(&self, session: &Session) -> Result<Vec<ObjectHandle>> {
        const NAME: &str = "C_FindObjects";
        let mut found: Vec<CK_OBJECT_HANDLE> = Vec::new();
        while found.len() < policy::OBJECTS_MAX {
            let mut handles: [CK_OBJECT_HANDLE; FIND] = [0; FIND];
            let mut count: CK_ULONG = 0;
            let rv = call!(self, C_FindObjects(session.handle(), handles.as_mut_ptr(), ulong(FIND), &raw mut count));
            check(rv, NAME)?;
            let count = within(count, FIND, NAME)?;
            if count == 0 {
                break;
            }
            found.extend(handles.iter().take(count));
        }
        found.truncate(policy::OBJECTS_MAX);
        found.sort_unstable();
        found.dedup();
        // SAFETY: a handle is a number that the module checks; these come from it.
        Ok(found.into_iter().map(|handle| unsafe { ObjectHandle::new_from_raw(handle) }).collect())
    }

    /// An attribute of an object; `None` where the object does not have it or does not show it.
    ///
    /// # Errors
    /// `TokenAnswer` when it is longer than `cap`, and what the token answers.
    pub(super) fn attribute(
        &self,
        session: &Session,
        object: ObjectHandle,
        kind: CK_ATTRIBUTE_TYPE,
        cap: usize,
    ) -> Result<Option<Vec<u8>>> {
        const NAME: &str = "C_GetAttributeValue";
        let mut query = CK_ATTRIBUTE { type_: kind, pValue: ptr::null_mut(), ulValueLen: 0 };
        let rv = call!(self, C_GetAttributeValue(session.handle(), object.handle(), &raw mut query, 1));
        if not_shown(rv) || (rv == CKR_OK && query.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
            return Ok(None);
        }
        check(rv, NAME)?;
        let mut value = vec![0; within(query.ulValueLen, cap, NAME)?];
        if value.is_empty() {
            return Ok(Some(value));
        }
        query.pValue = value.as_mut_ptr().cast();
        query.ulValueLen = ulong(value.len());
        let rv = call!(self, C_GetAttributeValue(session.handle(), object.handle(), &raw mut query, 1));
        if not_shown(rv) {
            return Ok(None);
        }
        check(rv, NAME)?;
        value.truncate(within(query.ulValueLen, value.len(), NAME)?);
        Ok(Some(value))
    }

    /// What the token says of a mechanism, by its number; `None` where it does not have it.
    ///
    /// # Errors
    /// What the token answers.
    pub(super) fn mechanism_info(&self, slot: Slot, number: u32) -> Result<Option<CK_MECHANISM_INFO>> {
        const NAME: &str = "C_GetMechanismInfo";
        let mut info = CK_MECHANISM_INFO::default();
        let id = CK_SLOT_ID::try_from(slot.id()).map_err(|_| nonsense(NAME, format!("slot {}", slot.id())))?;
        match check(call!(self, C_GetMechanismInfo(id, number.into(), &raw mut info)), NAME) {
            Ok(()) => Ok(Some(info)),
            Err(error) if error.kind() == ErrorKind::KeyUnsuited => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a signature by a mechanism without parameters, by its number.
    ///
    /// # Errors
    /// What the token answers.
    pub(super) fn sign_init(&self, session: &Session, number: u32, key: ObjectHandle) -> Result<()> {
        let mut mechanism = CK_MECHANISM { mechanism: number.into(), pParameter: ptr::null_mut(), ulParameterLen: 0 };
        check(call!(self, C_SignInit(session.handle(), &raw mut mechanism, key.handle())), "C_SignInit")
    }

    /// Single-part signature after C_SignInit, into a buffer of [`policy::SIGNATURE_MAX`] octets without asking for the length.
    ///
    /// # Errors
    /// `TokenAnswer` for a length that cannot be, and what the token answers.
    pub(super) fn sign(&self, session: &Session, data: &[u8]) -> Result<Vec<u8>> {
        const NAME: &str = "C_Sign";
        let mut data = data.to_vec();
        let mut signature = vec![0_u8; policy::SIGNATURE_MAX];
        let mut length = ulong(signature.len());
        let (from, to) = (data.as_mut_ptr(), signature.as_mut_ptr());
        let rv = call!(self, C_Sign(session.handle(), from, ulong(data.len()), to, &raw mut length));
        if rv == CKR_BUFFER_TOO_SMALL {
            return Err(nonsense(NAME, format!("a signature of more than {} octets", policy::SIGNATURE_MAX)));
        }
        check(rv, NAME)?;
        signature.truncate(within(length, signature.len(), NAME)?);
        Ok(signature)
    }
}

fn not_shown(rv: CK_RV) -> bool {
    rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID
}
