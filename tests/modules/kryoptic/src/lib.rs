//! The kryoptic soft token as a loadable module: `kryoptic-lib` carries the token, a cdylib has to export the entry points.
//! It is the tests' second PKCS#11 module: unlike SoftHSM it counts wrong PINs, raises the CKF flags and locks.

use kryoptic_lib::fns::general;
use kryoptic_lib::pkcs11::*;

// Entry points of PKCS#11 v3.0 (section 5.4 and 5.3): a caller finds them by these names and by nothing else.
macro_rules! entry_points {
    ($($name:ident => $of:ident($($arg:ident: $ty:ty),*);)*) => {$(
        #[doc = concat!("Forwards to `kryoptic_lib::fns::general::", stringify!($of), "`.")]
        // SAFETY: PKCS#11 fixes the name, the C ABI and the arguments; no other library in this cdylib exports it.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case)]
        pub extern "C" fn $name($($arg: $ty),*) -> CK_RV { general::$of($($arg),*) }
    )*};
}

entry_points! {
    C_GetFunctionList => fn_get_function_list(list: CK_FUNCTION_LIST_PTR_PTR);
    C_GetInterfaceList => fn_get_interface_list(list: CK_INTERFACE_PTR, count: CK_ULONG_PTR);
    C_GetInterface => fn_get_interface(name: CK_UTF8CHAR_PTR, version: CK_VERSION_PTR, interface: CK_INTERFACE_PTR_PTR, flags: CK_FLAGS);
}
