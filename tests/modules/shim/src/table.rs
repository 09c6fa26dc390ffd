//! The function list: every function of PKCS#11 v2.40 in the order of CK_FUNCTION_LIST, with the token it is for and its hook.
#![allow(non_snake_case)]

use crate::call::{Place, run};
use crate::hooks;
use cryptoki_sys::*;
use std::ffi::c_void;

type Session = CK_SESSION_HANDLE;
type Slot = CK_SLOT_ID;
type Object = CK_OBJECT_HANDLE;
type Length = CK_ULONG;
type Octets = *mut CK_BYTE;
type LengthOut = *mut CK_ULONG;
type ObjectOut = *mut CK_OBJECT_HANDLE;
type Mechanism = *mut CK_MECHANISM;
type Template = *mut CK_ATTRIBUTE;

macro_rules! functions {
    ($($name:ident ( $($arg:ident: $ty:ty),* ) $(@ $place:ident $at:ident)? $(=> $hook:ident($($pass:ident),*))?;)*) => {
        $(unsafe extern "C" fn $name($($arg: $ty),*) -> CK_RV {
            let place = functions!(@place $($place $at)?);
            run(stringify!($name), place, |_call, shim, instead| {
                let forward = || match (instead, shim.real.$name) {
                    (Some(rv), _) => rv,
                    (None, None) => CKR_FUNCTION_NOT_SUPPORTED,
                    // SAFETY: the arguments are the caller's own, under the contract that it has with any module.
                    (None, Some(function)) => unsafe { function($($arg),*) },
                };
                functions!(@body _call forward $($hook $($pass)*)?)
            })
        })*

        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        pub(crate) static LIST: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            C_GetFunctionList: Some(crate::C_GetFunctionList),
            $($name: Some($name)),*
        };
    };
    (@place) => { Place::Module };
    (@place $place:ident $at:ident) => { Place::$place($at) };
    (@body $call:ident $forward:ident) => { $forward() };
    (@body $call:ident $forward:ident $hook:ident $($pass:ident)*) => {
        // SAFETY: the hook touches the caller's pointers only as the function of this name may, and asks for no more than its contract.
        #[allow(unused_unsafe)]
        unsafe { hooks::$hook($call, &$forward, $($pass),*) }
    };
}

functions! {
    C_Initialize(args: *mut c_void);
    C_Finalize(reserved: *mut c_void) => finalize();
    C_GetInfo(info: *mut CK_INFO);
    C_GetSlotList(present: CK_BBOOL, list: *mut Slot, count: LengthOut) => slot_list(list, count);
    C_GetSlotInfo(slot: Slot, info: *mut CK_SLOT_INFO) @ Slot slot;
    C_GetTokenInfo(slot: Slot, info: *mut CK_TOKEN_INFO) @ Slot slot => token_info(info);
    C_GetMechanismList(slot: Slot, list: *mut CK_MECHANISM_TYPE, count: LengthOut) @ Slot slot;
    C_GetMechanismInfo(slot: Slot, kind: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO) @ Slot slot => mechanism_info(kind, info);
    C_InitToken(slot: Slot, pin: Octets, len: Length, label: Octets) @ Slot slot => init_pin(pin, len);
    C_InitPIN(s: Session, pin: Octets, len: Length) @ Session s => init_pin(pin, len);
    C_SetPIN(s: Session, old: Octets, old_len: Length, new: Octets, new_len: Length) @ Session s => set_pin(old, old_len, new, new_len);
    C_OpenSession(slot: Slot, flags: CK_FLAGS, app: *mut c_void, notify: CK_NOTIFY, out: *mut Session) @ Slot slot => open_session(flags, out);
    C_CloseSession(s: Session) @ Session s => close_session(s);
    C_CloseAllSessions(slot: Slot) @ Slot slot => close_all_sessions(slot);
    C_GetSessionInfo(s: Session, info: *mut CK_SESSION_INFO) @ Session s;
    C_GetOperationState(s: Session, out: Octets, len: LengthOut) @ Session s;
    C_SetOperationState(s: Session, state: Octets, len: Length, encryption: Object, authentication: Object) @ Session s;
    C_Login(s: Session, user: CK_USER_TYPE, pin: Octets, len: Length) @ Session s => login(user, pin, len);
    C_Logout(s: Session) @ Session s;
    C_CreateObject(s: Session, template: Template, count: Length, out: ObjectOut) @ Session s;
    C_CopyObject(s: Session, object: Object, template: Template, count: Length, out: ObjectOut) @ Session s;
    C_DestroyObject(s: Session, object: Object) @ Session s;
    C_GetObjectSize(s: Session, object: Object, size: LengthOut) @ Session s;
    C_GetAttributeValue(s: Session, object: Object, template: Template, count: Length) @ Session s => attributes(s, object, template, count);
    C_SetAttributeValue(s: Session, object: Object, template: Template, count: Length) @ Session s;
    C_FindObjectsInit(s: Session, template: Template, count: Length) @ Session s;
    C_FindObjects(s: Session, list: ObjectOut, max: Length, count: LengthOut) @ Session s => find_objects(list, max, count);
    C_FindObjectsFinal(s: Session) @ Session s;
    C_EncryptInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => mechanism(mechanism, key);
    C_Encrypt(s: Session, data: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_EncryptUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_EncryptFinal(s: Session, out: Octets, out_len: LengthOut) @ Session s;
    C_DecryptInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => mechanism(mechanism, key);
    C_Decrypt(s: Session, data: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DecryptUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DecryptFinal(s: Session, out: Octets, out_len: LengthOut) @ Session s;
    C_DigestInit(s: Session, mechanism: Mechanism) @ Session s;
    C_Digest(s: Session, data: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DigestUpdate(s: Session, part: Octets, len: Length) @ Session s;
    C_DigestKey(s: Session, key: Object) @ Session s;
    C_DigestFinal(s: Session, out: Octets, out_len: LengthOut) @ Session s;
    C_SignInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => sign_init(s, mechanism, key);
    C_Sign(s: Session, data: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s => sign(s, data, len, out, out_len);
    C_SignUpdate(s: Session, part: Octets, len: Length) @ Session s;
    C_SignFinal(s: Session, out: Octets, out_len: LengthOut) @ Session s => sign_final(out, out_len);
    C_SignRecoverInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => mechanism(mechanism, key);
    C_SignRecover(s: Session, data: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_VerifyInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => mechanism(mechanism, key);
    C_Verify(s: Session, data: Octets, len: Length, signature: Octets, signature_len: Length) @ Session s;
    C_VerifyUpdate(s: Session, part: Octets, len: Length) @ Session s;
    C_VerifyFinal(s: Session, signature: Octets, len: Length) @ Session s;
    C_VerifyRecoverInit(s: Session, mechanism: Mechanism, key: Object) @ Session s => mechanism(mechanism, key);
    C_VerifyRecover(s: Session, signature: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DigestEncryptUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DecryptDigestUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_SignEncryptUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_DecryptVerifyUpdate(s: Session, part: Octets, len: Length, out: Octets, out_len: LengthOut) @ Session s;
    C_GenerateKey(s: Session, mechanism: Mechanism, template: Template, count: Length, out: ObjectOut) @ Session s;
    C_GenerateKeyPair(s: Session, mechanism: Mechanism, public: Template, public_count: Length, private: Template, private_count: Length, public_out: ObjectOut, private_out: ObjectOut) @ Session s;
    C_WrapKey(s: Session, mechanism: Mechanism, by: Object, key: Object, out: Octets, out_len: LengthOut) @ Session s;
    C_UnwrapKey(s: Session, mechanism: Mechanism, by: Object, wrapped: Octets, len: Length, template: Template, count: Length, out: ObjectOut) @ Session s;
    C_DeriveKey(s: Session, mechanism: Mechanism, base: Object, template: Template, count: Length, out: ObjectOut) @ Session s;
    C_SeedRandom(s: Session, seed: Octets, len: Length) @ Session s;
    C_GenerateRandom(s: Session, out: Octets, len: Length) @ Session s;
    C_GetFunctionStatus(s: Session) @ Session s;
    C_CancelFunction(s: Session) @ Session s;
    C_WaitForSlotEvent(flags: CK_FLAGS, slot: *mut Slot, reserved: *mut c_void);
}
