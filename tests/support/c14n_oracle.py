"""What libxml2 makes of a batch of documents: parsed by lxml, canonicalised by libxml2's own C14N.

usage: c14n_oracle.py IN OUT

IN:  for each document: length (4 octets, little-endian), octets.
OUT: for each document three answers: the whole document; the document without its ds:Signature; its ds:SignedInfo.
     An answer is a length and octets; length 0xFFFFFFFF means "refused" or "there is none".

The two subsets are selected by XPath as XML Signature (clause 6.6.4) describes the enveloped transform, and
canonicalised by xmlC14NDocDumpMemory: the function that xmlsec1 uses.
"""
import ctypes
import ctypes.util
import struct
import sys

from lxml import etree

NONE = struct.pack("<I", 0xFFFFFFFF)
DSIG = b"http://www.w3.org/2000/09/xmldsig#"
OPTIONS = 2 | 32 | 64 | 2048  # NOENT, NOERROR, NOWARNING, NONET


def library():
    lib = ctypes.CDLL(ctypes.util.find_library("xml2") or "libxml2.so.2")
    pointer = ctypes.c_void_p
    for name, result, arguments in (
        ("xmlReadMemory", pointer, [ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]),
        ("xmlXPathNewContext", pointer, [pointer]),
        ("xmlXPathRegisterNs", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_char_p]),
        ("xmlXPathEvalExpression", pointer, [ctypes.c_char_p, pointer]),
        ("xmlXPathFreeObject", None, [pointer]),
        ("xmlXPathFreeContext", None, [pointer]),
        ("xmlC14NDocDumpMemory", ctypes.c_int, [pointer, pointer, ctypes.c_int, pointer, ctypes.c_int, ctypes.POINTER(pointer)]),
        ("xmlFreeDoc", None, [pointer]),
        ("xmlSetGenericErrorFunc", None, [pointer, pointer]),
        ("xmlSetStructuredErrorFunc", None, [pointer, pointer]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


LIB = library()
QUIET = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(lambda a, b: None)
LIB.xmlSetStructuredErrorFunc(None, ctypes.cast(QUIET, ctypes.c_void_p))


class NodeSet(ctypes.Structure):
    _fields_ = [("nodeNr", ctypes.c_int), ("nodeMax", ctypes.c_int), ("nodeTab", ctypes.c_void_p)]


class XPathObject(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("nodesetval", ctypes.POINTER(NodeSet))]


def dump(doc, nodes):
    text = ctypes.c_void_p()
    size = LIB.xmlC14NDocDumpMemory(doc, nodes, 0, None, 0, ctypes.byref(text))
    return None if size < 0 or not text.value else ctypes.string_at(text.value, size)


def select(doc, expression):
    """The canonical form of the nodes that `expression` selects."""
    context = LIB.xmlXPathNewContext(doc)
    LIB.xmlXPathRegisterNs(context, b"ds", DSIG)
    found = LIB.xmlXPathEvalExpression(expression, context)
    answer = None
    if found:
        nodes = ctypes.cast(found, ctypes.POINTER(XPathObject)).contents.nodesetval
        if nodes and nodes.contents.nodeNr > 0:
            answer = dump(doc, ctypes.cast(nodes, ctypes.c_void_p))
        LIB.xmlXPathFreeObject(found)
    LIB.xmlXPathFreeContext(context)
    return answer


def answers(octets, parser):
    try:
        tree = etree.fromstring(octets, parser).getroottree()
        whole = etree.tostring(tree, method="c14n", with_comments=False)
    except Exception:  # lxml has many kinds for "no": each of them is one here
        return None, None, None
    doc = LIB.xmlReadMemory(octets, len(octets), None, None, OPTIONS)
    if not doc:
        return None, None, None
    try:
        if dump(doc, None) != whole:
            sys.exit("lxml and libxml2 differ: %r" % octets)
        if len(tree.getroot().findall(".//{%s}SignedInfo" % DSIG.decode())) != 1:
            return whole, None, None
        return (
            whole,
            select(doc, b"(//. | //@* | //namespace::*)[not(ancestor-or-self::ds:Signature)][not(self::comment())]"),
            select(doc, b"(//. | //@* | //namespace::*)[ancestor-or-self::ds:SignedInfo][not(self::comment())]"),
        )
    finally:
        LIB.xmlFreeDoc(doc)


def main():
    parser = etree.XMLParser(no_network=True, resolve_entities=True)
    with open(sys.argv[1], "rb") as batch, open(sys.argv[2], "wb") as out:
        while head := batch.read(4):
            octets = batch.read(struct.unpack("<I", head)[0])
            for answer in answers(octets, parser):
                out.write(NONE if answer is None else struct.pack("<I", len(answer)) + answer)
    print("libxml2 %s, lxml %s" % (".".join(map(str, etree.LIBXML_VERSION)), ".".join(map(str, etree.LXML_VERSION))))


main()
