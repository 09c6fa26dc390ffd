#!/usr/bin/env python3
"""Called by smoke.sh: what only a caller of the C functions sees. checks.py hostile SHIM.so DIR | checks.py kryoptic MODULE.so SLOT"""
import os
import sys
import threading
import time
from ctypes import byref, c_ulong, c_void_p, cast, create_string_buffer

sys.dont_write_bytecode = True
from p11 import UNAVAILABLE, Attribute, Mechanism, Module

FAILED = 0


def check(what, seen, wanted):
    global FAILED
    good = seen == wanted
    FAILED += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}" + ("" if good else f": {seen!r}, not {wanted!r}"))


def find(m, session, maximum):
    handles, count = (c_ulong * maximum)(), c_ulong(0)
    assert m.C_FindObjectsInit(session, None, 0) == 0
    rv = m.C_FindObjects(session, handles, maximum, byref(count))
    m.C_FindObjectsFinal(session)
    return rv, count.value, list(handles)


def find_key(m, session):
    """The private key (CKA_CLASS = CKO_PRIVATE_KEY)."""
    wanted = c_ulong(3)
    template = Attribute(0, cast(byref(wanted), c_void_p), 8)
    handles, count = (c_ulong * 1)(), c_ulong(0)
    assert m.C_FindObjectsInit(session, byref(template), 1) == 0
    assert m.C_FindObjects(session, handles, 1, byref(count)) == 0 and count.value == 1, "no private key"
    m.C_FindObjectsFinal(session)
    return handles[0]


def sign(m, session, key, room=64):
    """(rv, claimed length, buffer); one C_Sign, no length query. CKM_ECDSA."""
    mechanism, out, length = Mechanism(0x1041, None, 0), create_string_buffer(room), c_ulong(room)
    rv = m.C_SignInit(session, byref(mechanism), key)
    rv = rv or m.C_Sign(session, b"d" * 32, 32, out, byref(length))
    return rv, length.value, out.raw


def attribute(m, session, handle, kind, room=None):
    buffer = create_string_buffer(room) if room else None
    a = Attribute(kind, cast(buffer, c_void_p) if room else None, room or 0)
    return m.C_GetAttributeValue(session, handle, byref(a), 1), a.len


class Desk:
    """A module behind the shim, logged in at the customs token, and the files that steer and watch it."""

    def __init__(self, path, folder):
        self.control, self.log = os.path.join(folder, "control"), os.path.join(folder, "log")
        self.rules()
        self.m = m = Module(path)
        check("C_Initialize is forwarded", m.C_Initialize(None), 0)
        rv, _, count, self.ids = m.slots()
        check("the real slot list: two tokens and SoftHSM's empty slot", (rv, count), (0, 3))
        self.customs = {bytes(m.info(i)[1].label).strip(): i for i in self.ids}[b"test customs"]
        self.pin = os.environ["CUSTOMS_PIN"].encode()
        self.s = m.session(self.customs)
        check("login", m.login(self.s, self.pin), 0)
        self.key = find_key(m, self.s)

    def rules(self, *lines):
        with open(self.control + ".new", "w") as f:
            f.write("\n".join(lines))
        os.rename(self.control + ".new", self.control)

    def sign(self):
        return sign(self.m, self.s, self.key)


def slots_and_tokens(d):
    m, customs = d.m, d.customs
    d.rules("slots 1000000")
    rv, asked, count, million = m.slots()
    check("a million slots are claimed and filled in", (rv, asked, count, million[:3], len(set(million))), (0, 10**6, 10**6, d.ids, 10**6))
    check("a made-up slot is no slot", m.info(million[-1])[0], 3)
    d.rules("slots 1000 on=data")
    check("more slots than the caller has room for", m.slots()[:3], (0, 3, 1000))
    d.rules("label %ff%fe-no-utf8 token=test%20customs", "serial 0123456789abcdefTOO-LONG")
    info = m.info(customs)[1]
    check("a label that is not UTF-8", bytes(info.label), b"\xff\xfe-no-utf8".ljust(32))
    check("a serial without an end", bytes(info.serial), b"0123456789abcdef")
    d.rules("rv C_GetTokenInfo 0xe0 skip=1 times=2")
    check("the second and the third call only", [m.info(customs)[0] for _ in range(4)], [0, 0xE0, 0xE0, 0])


def objects(d):
    m, s = d.m, d.s
    d.rules("find-count 100000")
    check("more objects are claimed than were asked for", find(m, s, 2)[:2], (0, 100000))
    d.rules("endless-find")
    check("a full array each time", find(m, s, 50)[:2], (0, 50))
    d.rules("deny-find token=other")
    check("a rule for another token does not fire", find(m, s, 50)[1] > 0, True)
    d.rules("deny-find token=test%20customs")
    check("no objects", find(m, s, 50)[:2], (0, 0))
    d.rules("huge-attribute type=0x3")
    check("a huge attribute is claimed (CKA_LABEL)", attribute(m, s, d.key, 3), (0, 1 << 40))
    check("only of that type (CKA_CLASS)", attribute(m, s, d.key, 0), (0, 8))
    d.rules("huge-attribute unavailable on=data")
    check("an unavailable attribute with CKR_OK", attribute(m, s, d.key, 3, 100), (0, UNAVAILABLE))
    check("but its length was told before", attribute(m, s, d.key, 3)[1] < 100, True)


def signatures(d):
    m = d.m
    d.rules()
    check("a signature has 64 octets", d.sign()[:2], (0, 64))
    d.rules("long-signature 100000")
    check("a signature longer than the buffer is claimed", d.sign()[:2], (0, 100000))
    d.rules("short-signature 0 on=data")
    check("a signature of no length", d.sign()[:2], (0, 0))
    d.rules("long-signature unavailable")
    check("a signature of unavailable length", d.sign()[:2], (0, UNAVAILABLE))
    d.rules("vendor-rv C_Sign 0x80000123 skip=1")
    # CKR_OPERATION_ACTIVE: the refused C_Sign was not forwarded, so the operation lives on in the module.
    check("a vendor's code from the second signature on", [d.sign()[0] for _ in range(3)], [0, 0x80000123, 0x90])
    d.s = m.session(d.customs)
    d.rules("rv-after C_Sign 0x30")
    check("the answer is lost after the work", (d.sign()[0], m.C_Logout(d.s)), (0x30, 0))
    check("an empty PIN reaches SoftHSM and is refused", (m.login(d.s, b""), m.login(d.s, d.pin)), (0xA0, 0))
    d.key = find_key(m, d.s)  # SoftHSM numbers private objects anew at each login


def hanging(d):
    d.rules("hang C_Sign")
    result = []
    worker = threading.Thread(target=lambda: result.append(d.sign()[:2]))
    worker.start()
    end = time.monotonic() + 20
    while "\nhang C_Sign slot=" not in open(d.log).read() and time.monotonic() < end:
        time.sleep(0.01)
    check("the call hangs; others go on meanwhile", (result, d.m.info(d.customs)[0]), ([], 0))
    d.rules()
    worker.join(20)
    check("and ends when the line goes away", result, [(0, 64)])


def hostile(path, folder):
    d = Desk(path, folder)
    slots_and_tokens(d)
    objects(d)
    signatures(d)
    hanging(d)
    d.rules("rv C_Sing 0x30")
    check("a line that is no rule fails every call", (d.m.info(d.customs)[0], d.m.C_Logout(d.s)), (0xBAD0C0DE, 0xBAD0C0DE))
    d.rules()
    check("C_Finalize", d.m.C_Finalize(None), 0)
    last = open(d.log).read().splitlines()[-1]
    check("and it is the log's last line", last.startswith("C_Finalize slot=- token=- rv=0x0 pid="), True)


def kryoptic(path, slot):
    m = Module(path)
    assert m.C_Initialize(None) == 0
    s = m.session(slot)
    right, wrong = os.environ["CUSTOMS_PIN"].encode(), b"00000000"

    def tries(pins):
        return [(m.login(s, pin), *m.flags(slot)) for pin in pins]

    check("kryoptic: ulMaxPinLen is 0, ulMinPinLen 8", (m.info(slot)[1].max_pin, m.info(slot)[1].min_pin), (0, 8))
    nine = [(0xA0,)] * 6 + [(0xA0, "COUNT_LOW")] * 2 + [(0xA0, "FINAL_TRY")]
    check("kryoptic: nine wrong PINs, empty and short ones count", tries([b"", b"1"] + [wrong] * 7), nine)
    check("kryoptic: the right one on the last try sets the count back", tries([right]), [(0,)])
    m.C_Logout(s)
    check("kryoptic: the tenth wrong one locks", tries([wrong] * 10), nine + [(0xA4, "LOCKED")])
    check("kryoptic: the right PIN is refused then", tries([right]), [(0xA4, "LOCKED")])
    check("kryoptic: the SO sets a new PIN", (m.login(s, b"12345678", 0), m.C_InitPIN(s, right, len(right)), m.C_Logout(s)), (0, 0, 0))
    check("kryoptic: LOCKED stays up until the first login", (m.flags(slot), *tries([right])), ({"LOCKED"}, (0,)))
    check("kryoptic: a second login", tries([right]), [(0x100,)])


if sys.argv[1] == "hostile":
    hostile(*sys.argv[2:])
else:
    kryoptic(sys.argv[2], int(sys.argv[3]))
sys.exit(FAILED != 0)
