"""The few PKCS#11 calls that the checks need and pkcs11-tool does not make: C function list by index, over ctypes."""
import ctypes
from ctypes import POINTER, Structure, byref, c_char, c_ubyte, c_ulong, c_void_p

U = c_ulong
UNAVAILABLE = U(-1).value
# Place in CK_FUNCTION_LIST behind the version (PKCS#11 v2.40, pkcs11f.h).
ORDER = {
    "C_Initialize": 0, "C_Finalize": 1, "C_GetSlotList": 4, "C_GetTokenInfo": 6, "C_InitPIN": 10, "C_OpenSession": 12,
    "C_CloseSession": 13, "C_Login": 18, "C_Logout": 19, "C_GetAttributeValue": 24, "C_FindObjectsInit": 26,
    "C_FindObjects": 27, "C_FindObjectsFinal": 28, "C_SignInit": 42, "C_Sign": 43,
}
FLAGS = {0x10000: "COUNT_LOW", 0x20000: "FINAL_TRY", 0x40000: "LOCKED"}


class TokenInfo(Structure):
    _fields_ = [("label", c_char * 32), ("maker", c_char * 32), ("model", c_char * 16), ("serial", c_char * 16), ("flags", U),
                ("sessions", U * 4), ("max_pin", U), ("min_pin", U), ("memory", U * 4), ("versions", c_ubyte * 4), ("time", c_char * 16)]


class Attribute(Structure):
    _fields_ = [("type", U), ("value", c_void_p), ("len", U)]


class Mechanism(Structure):
    _fields_ = [("type", U), ("parameter", c_void_p), ("len", U)]


class FunctionList(Structure):
    _fields_ = [("version", c_ubyte * 2), ("functions", c_void_p * 67)]


class Module:
    """m.C_Login(...) gives the return value as an int."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.list = POINTER(FunctionList)()
        rv = self.library.C_GetFunctionList(byref(self.list))
        assert rv == 0, f"C_GetFunctionList gave {rv:#x}"

    def __getattr__(self, name):
        address = self.list.contents.functions[ORDER[name]]
        function = ctypes.CFUNCTYPE(U)(address)
        return lambda *a: function(*[U(x) if isinstance(x, int) else x for x in a])

    def slots(self, room=None):
        """(rv, claimed count, ids that the array has)."""
        count = U(0)
        rv = self.C_GetSlotList(c_ubyte(1), None, byref(count))
        asked = count.value
        ids = (U * (room or asked))()
        count = U(len(ids))
        rv = rv or self.C_GetSlotList(c_ubyte(1), ids, byref(count))
        return rv, asked, count.value, list(ids)

    def info(self, slot):
        info = TokenInfo()
        return self.C_GetTokenInfo(slot, byref(info)), info

    def session(self, slot):
        handle = U(0)
        rv = self.C_OpenSession(slot, 6, None, None, byref(handle))
        assert rv == 0, f"C_OpenSession gave {rv:#x}"
        return handle.value

    def login(self, session, pin, user=1):
        return self.C_Login(session, user, pin, len(pin))

    def flags(self, slot):
        return {name for bit, name in FLAGS.items() if self.info(slot)[1].flags & bit}
