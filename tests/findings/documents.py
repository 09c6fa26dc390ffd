#!/usr/bin/env python3
"""Makes a document for each finding that a verifier names, with throw-away keys and invented names.

    tests/findings/documents.py FOLDER

It is written apart from the library and shares nothing with it: canonical XML is made by construction (the bodies have one canonical form, which
is known), signatures are made by openssl. FOLDER/cases.json lists what was made and what has to be found in it.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from urllib.parse import quote

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "vectors")
OUT = sys.argv[1]
DSIG = "http://www.w3.org/2000/09/xmldsig#"
CEB = "http://www.chinaport.gov.cn/ceb"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
OLD, MORE, ENC = DSIG, "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2001/04/xmlenc#"
NEW = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
DEFAULT_ID = "1234567812345678"
os.makedirs(OUT, exist_ok=True)
CASES = []


def path(name):
    return os.path.join(OUT, name)


def put(name, octets):
    with open(path(name), "wb") as file:
        file.write(octets if isinstance(octets, bytes) else octets.encode())
    return path(name)


def run(*words, stdin=b""):
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{words}: {done.stderr.decode()}")
    return done.stdout


# --- certificates

def text_extension(arc, text):
    return f"1.3.6.1.4.1.5315.100.{arc}=ASN1:UTF8String:{text}\n"


def authority(name, subject):
    key, pem = path(f"{name}.key"), path(f"{name}.pem")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    run("openssl", "req", "-new", "-x509", "-utf8", "-key", key, "-days", 36500, "-subj", subject, "-out", pem,
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def certificate(name, key, serial, ca="ca", usage="digitalSignature,nonRepudiation", company=None, card=None, extra=""):
    """Issued by `ca` for the key in the file `key`; with the e-port's extensions where there is a company."""
    public = put(f"{name}.pub", run("openssl", "pkey", "-in", key, "-pubout"))
    dummy = path("dummy.key")
    if not os.path.exists(dummy):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", dummy)
    person = "/C=CN/OU=Synthetic Trading Co/CN=Test Operator (SYNTHETIC)"
    request = put(f"{name}.csr", run("openssl", "req", "-new", "-utf8", "-key", dummy, "-subj", person))
    extensions = f"keyUsage=critical,{usage}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    if company:
        extensions += text_extension("5.1", company[1]) + text_extension("5.11", company[0])
        extensions += text_extension("5.9", "03-" + card) + text_extension("5.12", "00")
    put(f"{name}.ext", extensions + extra)
    run("openssl", "x509", "-req", "-in", request, "-force_pubkey", public, "-CA", path(f"{ca}.pem"), "-CAkey", path(f"{ca}.key"),
        "-set_serial", "0x" + serial, "-days", 3650, "-sha256", "-extfile", path(f"{name}.ext"), "-out", path(f"{name}.pem"))
    return Signer(name, key, serial)


class Signer:
    """A key in a file with its certificate."""

    def __init__(self, name, key, number):
        self.name, self.key, self.number = name, key, number.lower()
        text = open(path(f"{name}.pem")).read()
        self.body = "".join(text.split("-----")[2].split())
        kind = run("openssl", "pkey", "-in", key, "-noout", "-text").decode()
        self.kind = "sm2" if "SM2" in kind else "p256" if "prime256v1" in kind or "P-256" in kind else "rsa"

    def sign(self, octets, hash_name=None, identifier=DEFAULT_ID, z=True):
        """DER for curves, the octets for RSA."""
        message = put("message.tmp", octets)
        if self.kind == "rsa":
            return run("openssl", "dgst", "-" + (hash_name or "sha1"), "-sign", self.key, message)
        if self.kind == "p256":
            return run("openssl", "dgst", "-sha256", "-sign", self.key, message)
        if z and identifier == DEFAULT_ID:
            return run("openssl", "dgst", "-sm3", "-sign", self.key, "-sigopt", "distid:" + DEFAULT_ID, message)
        prefix = self.z(identifier) if z else b""
        digest = put("digest.tmp", digest_of("sm3", prefix + octets))
        return run("openssl", "pkeyutl", "-sign", "-inkey", self.key, "-in", digest)

    def z(self, identifier):
        """GB/T 32918.2, clause 5.5."""
        curve = bytes.fromhex(
            "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
            "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
            "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
            "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0")
        point = run("openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        octets = identifier.encode()
        return digest_of("sm3", (len(octets) * 8).to_bytes(2, "big") + octets + curve + point)

    def raw(self, der):
        """r and s, 32 octets each; RSA as it is."""
        if self.kind == "rsa":
            return der
        numbers, rest = [], der[2:]
        for _ in range(2):
            length = rest[1]
            numbers.append(int.from_bytes(rest[2:2 + length], "big").to_bytes(32, "big"))
            rest = rest[2 + length:]
        return b"".join(numbers)


def digest_of(name, octets):
    if name != "sm3":
        return hashlib.new(name, octets).digest()
    return run("openssl", "dgst", "-sm3", "-binary", stdin=octets)


def b64(octets):
    return base64.b64encode(octets).decode()


# --- customs messages

ORDER = (
    "\t<ceb:Order>\n\t\t<ceb:OrderHead>\n\t\t\t<ceb:guid>00000000-0000-4000-8000-000000000002</ceb:guid>\n"
    "\t\t\t<ceb:appTime>{time}</ceb:appTime>\n\t\t\t<ceb:appStatus>2</ceb:appStatus>\n"
    "\t\t\t<ceb:agentCode>{code}</ceb:agentCode>\n\t\t\t<ceb:agentName>{name}</ceb:agentName>\n"
    "\t\t\t<ceb:note>合成样例</ceb:note>\n\t\t</ceb:OrderHead>\n\t</ceb:Order>\n")
OURS = ("MA0SYN001", "合成样例贸易有限公司")
SETS = {"rsa": (OLD + "rsa-sha1", OLD + "sha1"), "sm2": (NEW + "sm2-sm3", NEW + "sm3"),
        "p256": (MORE + "ecdsa-sha256", ENC + "sha256")}
HASHES = {OLD + "sha1": "sha1", NEW + "sm3": "sm3", ENC + "sha256": "sha256"}


class Message:
    """A customs message; canonical form and file differ only by the XML declaration."""

    def __init__(self, signer, **said):
        self.signer = signer
        self.namespaces = {"ceb": CEB, "xsi": XSI}
        self.body = "\n" + ORDER.format(time=said.get("time", "20300101000000"), code=said.get("code", "91000000MA0SYN001X"),
                                        name=said.get("name", OURS[1]))
        self.before, self.after = "", ""
        self.method, self.digest_method = said.get("set", SETS[signer.kind])
        self.c14n = said.get("c14n", C14N)
        self.key_name = said.get("key_name", signer.number)
        self.certificate = said.get("certificate", signer.body)
        self.hash = said.get("hash", HASHES[self.digest_method])
        self.hashed = said.get("hashed", lambda canonical: canonical)
        self.how = said.get("how", {})
        self.form = said.get("form", signer.raw)

    def declarations(self, *more):
        every = {**self.namespaces, **dict(more)}
        return "".join(f' xmlns:{p}="{every[p]}"' for p in sorted(every))

    def root(self):
        return f'<ceb:CEB621Message{self.declarations()} guid="00000000-0000-4000-8000-000000000001" version="1.0">'

    def canonical(self):
        return f"{self.root()}{self.body}{self.before}{self.after}</ceb:CEB621Message>"

    def signed_info(self, digest, declarations=""):
        return (f"<ds:SignedInfo{declarations}>"
                f'<ds:CanonicalizationMethod Algorithm="{self.c14n}"></ds:CanonicalizationMethod>'
                f'<ds:SignatureMethod Algorithm="{self.method}"></ds:SignatureMethod><ds:Reference URI=""><ds:Transforms>'
                f'<ds:Transform Algorithm="{DSIG}enveloped-signature"></ds:Transform></ds:Transforms>'
                f'<ds:DigestMethod Algorithm="{self.digest_method}"></ds:DigestMethod>'
                f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>")

    def signature(self):
        octets = self.hashed(self.canonical())
        digest = b64(digest_of(self.hash, octets if isinstance(octets, bytes) else octets.encode()))
        signed = self.signed_info(digest, self.declarations(("ds", DSIG)))
        value = b64(self.form(self.signer.sign(signed.encode(), **self.how)))
        keys = f"<ds:KeyName>{self.key_name}</ds:KeyName>" if self.key_name else ""
        return (f'<ds:Signature xmlns:ds="{DSIG}">{self.signed_info(digest)}<ds:SignatureValue>{value}</ds:SignatureValue>'
                f"<ds:KeyInfo>{keys}<ds:X509Data><ds:X509Certificate>{self.certificate}</ds:X509Certificate></ds:X509Data>"
                f"</ds:KeyInfo></ds:Signature>")

    def text(self):
        whole = f"{self.root()}{self.body}{self.before}{self.signature()}{self.after}</ceb:CEB621Message>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}'


def case(name, expected, octets, kind="ceb", **more):
    """A document, and the findings that have to be named: warnings and errors beside the symptoms, all of them and no other."""
    suffix = {"ceb": ".xml", "179": ".json", "cms": ".p7m"}.get(kind, ".bin")
    put(name + suffix, octets)
    CASES.append({"name": name, "file": name + suffix, "format": kind, "expected": expected, **more})


def instead(text, old, new):
    if old not in text:
        sys.exit(f"nothing to replace: {old}")
    return text.replace(old, new, 1)


def pretty(text, unit="  "):
    """As a program formats XML: each element on a line of its own, elements with text in one."""
    text = re.sub(r">\s+<", "><", text)
    out, depth = [], 0
    for piece in re.findall(r"<\?.*?\?>|<[^/!?][^>]*>[^<]+</[^>]+>|<[^/!?][^>]*></[^>]+>|<[^>]+>", text):
        if piece.startswith("</"):
            depth -= 1
        out.append(unit * depth + piece)
        if not piece.startswith(("</", "<?")) and "</" not in piece:
            depth += 1
    return "\n".join(out)


def ceb_cases():
    for signer in (RSA, SM2):
        case(f"right-{signer.kind}", [], Message(signer).text())
    case("right-p256", ["VF-152"], Message(P256).text())
    for signer in (RSA, SM2):
        kind, right = signer.kind, Message(signer).text()
        case(f"newline-after-{kind}", ["VF-103"], instead(right, "</ds:Signature>", "</ds:Signature>\n"))
        case(f"newline-before-{kind}", ["VF-103"], instead(right, "<ds:Signature ", "\n<ds:Signature "))
        case(f"newline-removed-{kind}", ["VF-104"], instead(right, "\n<ds:Signature ", "<ds:Signature "))
        case(f"signed-info-pretty-{kind}", ["VF-105"], instead(right, "<ds:Reference ", "\n    <ds:Reference "))
        case(f"tabs-to-spaces-{kind}", ["VF-160"], right.replace("\t", "    "))
        case(f"newline-after-and-tabs-to-spaces-{kind}", ["VF-103", "VF-160"],
             instead(right, "</ds:Signature>", "</ds:Signature>\n").replace("\t", "    "))
        case(f"newline-removed-and-tabs-to-spaces-{kind}", ["VF-104", "VF-160"],
             instead(right, "\n<ds:Signature ", "<ds:Signature ").replace("\t", "    "))
        case(f"made-one-line-{kind}", ["VF-160"], re.sub(r">\s+<", "><", right))
        case(f"blank-line-{kind}", ["VF-160"], instead(right, "<ceb:Order>\n", "<ceb:Order>\n\n"))
        case(f"blank-behind-{kind}", ["VF-160"], instead(right, "</ds:Signature>", "</ds:Signature> "))
        case(f"namespace-moved-{kind}", ["VF-162"],
             instead(instead(right, f' xmlns:ds="{DSIG}"', ""), " xmlns:xsi=", f' xmlns:ds="{DSIG}" xmlns:xsi='))
        case(f"prefix-renamed-{kind}", ["VF-165"], right.replace("ds:", "dsig:").replace(":ds=", ":dsig="))
        case(f"prefix-left-out-{kind}", ["VF-165"],
             right.replace("<ds:", "<").replace("</ds:", "</").replace("xmlns:ds=", "xmlns="))
        case(f"no-break-space-{kind}", ["VF-113", "VF-165"], instead(right, "<ds:DigestMethod", "\u00a0<ds:DigestMethod"))
        damaged = re.sub("<ds:DigestValue>....", "<ds:DigestValue>AAAA", right)
        case(f"digest-value-and-newline-{kind}", ["VF-103", "VF-165"],
             instead(damaged, "</ds:Signature>", "</ds:Signature>\n"))
        case(f"digest-value-and-namespace-{kind}", ["VF-161", "VF-165"], instead(damaged, f' xmlns:xsi="{XSI}"', ""))
        case(f"digest-value-and-body-{kind}", [], instead(damaged, "合成样例</ceb:note>", "合成样本</ceb:note>"), unexplained=True)
        case(f"namespace-lost-{kind}", ["VF-161"], instead(right, f' xmlns:xsi="{XSI}"', ""))
        case(f"namespace-added-{kind}", ["VF-162"], instead(right, " xmlns:xsi=", ' xmlns:a="urn:a" xmlns:xsi='))
        case(f"xml-base-added-{kind}", ["VF-162"], instead(right, " xmlns:xsi=", ' xml:base="urn:a" xmlns:xsi='))
        case(f"namespace-renamed-{kind}", ["VF-161", "VF-162"], instead(right, " xmlns:xsi=", " xmlns:xsj="))
        case(f"namespace-of-another-name-{kind}", ["VF-161", "VF-162"], instead(right, f' xmlns:xsi="{XSI}"', f' xmlns:xsi="{XSI}s"'))
        case(f"comments-named-later-{kind}", ["VF-163"], instead(right, C14N, C14N + "#WithComments"))
        case(f"comments-named-{kind}", ["VF-163"], Message(signer, c14n=C14N + "#WithComments").text())
        case(f"number-upper-case-{kind}", ["VF-212"], Message(signer, key_name=signer.number.upper()).text())
        case(f"key-name-of-another-{kind}", ["VF-120"], Message(signer, key_name="0badcafe").text())
        case(f"der-{kind}", [] if kind == "rsa" else ["VF-115"], Message(signer, form=lambda der: der).text())
        case(f"value-cut-{kind}", ["VF-114"], Message(signer, form=lambda der: signer.raw(der)[:-1]).text())
        case(f"body-changed-{kind}", [], instead(right, "合成样例</ceb:note>", "合成样本</ceb:note>"), unexplained=True)
        case(f"another-declarant-{kind}", ["VF-141"], Message(signer, code="91000000MA0SYN002X").text())
        case(f"expired-at-signing-{kind}", ["VF-135"], Message(signer, time="20980101000000").text(), at="2099-01-01")
        case(f"expired-{kind}", ["VF-130"], right, at="2099-01-01")
        case(f"crlf-hashed-{kind}", ["VF-164"],
             Message(signer, hashed=lambda canonical: canonical.replace("\n", "\r\n")).text())
    one_line()
    names_and_cards()
    sm2_ways()
    wrapped()


def one_line():
    """The forms in which whole messages are formatted."""
    message = Message(RSA)
    message.body = re.sub(r">\s+<", "><", message.body).strip()
    case("one-line", [], message.text())
    case("pretty-printed", ["VF-105", "VF-160"], pretty(message.text()))
    body = message.text()
    head, rest = body.split("<ds:Signature", 1)
    case("body-pretty-printed", ["VF-160"], pretty(head + "</ceb:CEB621Message>").rsplit("</ceb:", 1)[0] + "<ds:Signature" + rest)
    lost = instead(Message(RSA).text(), f' xmlns:xsi="{XSI}"', "")
    case("namespace-lost-and-newline", ["VF-103", "VF-161"], instead(lost, "</ds:Signature>", "</ds:Signature>\n"))
    case("sha1-and-newline", ["VF-103", "VF-119"],
         instead(Message(SM2, hash="sha1").text(), "</ds:Signature>", "</ds:Signature>\n"))
    # Indented as no program does it, so that only what was done to it makes it as it was.
    uneven = Message(RSA)
    uneven.body = instead(uneven.body, "\t\t\t<ceb:note>", "\t<ceb:note>")
    case("uneven-newline-after-and-tabs-to-spaces", ["VF-103", "VF-160"],
         instead(uneven.text(), "</ds:Signature>", "</ds:Signature>\n").replace("\t", "    "))
    case("uneven-newline-removed-and-tabs-to-spaces", ["VF-104", "VF-160"],
         instead(uneven.text(), "\n<ds:Signature ", "<ds:Signature ").replace("\t", "    "))
    # The newline before the Signature was signed, and stayed.
    message.before = "\n"
    head, rest = message.text().split("\n<ds:Signature", 1)
    head = pretty(head + "</ceb:CEB621Message>").rsplit("</ceb:", 1)[0].rstrip()
    case("body-pretty-printed-beside-a-newline", ["VF-160"], head + "\n<ds:Signature" + rest)
    commented = Message(RSA)
    commented.body = instead(commented.body, "<ceb:note>", "<!-- x --><ceb:note>")
    commented.hashed = lambda canonical: canonical
    case("comments-hashed", ["VF-163"], commented.text())


def names_and_cards():
    case("certificate-not-the-signer", ["VF-109"], Message(RSA, certificate=OTHER.body, key_name=OTHER.number).text(),
         anchors=["ca", "customs-rsa"])
    case("another-card", ["VF-124"], Message(OTHER).text(), given="customs-rsa")
    case("another-company", ["VF-123"], Message(STRANGER, code="91000000MA0SYN009X", name="合成样例另一公司").text(),
         given="customs-rsa")
    case("bank-certificate", ["VF-140"], Message(BANK).text(), role="customs", anchors=["ca", "bank"])
    case("encryption-certificate", ["VF-132"], Message(ENCRYPTION).text())
    case("stranger", ["VF-133"], Message(RSA).text(), anchors=["bank"])
    case("certificate-as-pem", ["VF-122"], instead(Message(RSA).text(), "<ds:X509Certificate>", "<ds:X509Certificate>-----BEGIN CERTIFICATE-----"))
    # It can be read, and nothing here takes its key.
    other_curve = path("p384.key")
    run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", other_curve)
    curve = certificate("customs-p384", other_curve, "0a12cd40")
    case("certificate-of-another-curve", ["VF-122"], Message(RSA, certificate=curve.body, key_name=curve.number).text())
    case("two-values", ["VF-113"], instead(Message(RSA).text(), "<ds:KeyInfo>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo>"))
    empty = re.sub(r"(?<=Value>)[^<]+(?=</ds:(Digest|Signature)Value>)", "", Message(RSA).text())
    case("template-not-filled", ["VF-113", "VF-114"], empty)
    case("no-certificate", ["VF-121"], re.sub(r"<ds:X509Data>.*</ds:X509Data>", "", Message(RSA).text()))


def sm2_ways():
    case("without-z", ["VF-117"], Message(SM2, how={"z": False}).text())
    case("empty-identifier", ["VF-118"], Message(SM2, how={"identifier": ""}).text())
    damaged = re.sub("<ds:DigestValue>....", "<ds:DigestValue>AAAA", Message(SM2, how={"z": False}).text())
    case("without-z-and-digest-value", ["VF-117", "VF-165"], damaged)
    case("without-z-and-namespace-lost", ["VF-117", "VF-161"],
         instead(Message(SM2, how={"z": False}).text(), f' xmlns:xsi="{XSI}"', ""))
    case("sha1-under-sm3", ["VF-119"], Message(SM2, hash="sha1").text())
    case("mixed-identifiers", ["VF-107"], Message(SM2, set=(OLD + "sm2-sm3", OLD + "sha1")).text())
    case("mixed-official", ["VF-107"], Message(SM2, set=(NEW + "sm2-sm3", OLD + "sha1")).text())
    case("unknown-identifier", ["VF-106"], Message(SM2, set=(NEW + "sm2-sm4", NEW + "sm3")).text())
    case("rsa-with-sha256", ["VF-209"], Message(RSA, how={"hash_name": "sha256"}).text())
    case("value-of-another-method", ["VF-107", "VF-108"], instead(Message(RSA).text(), OLD + "rsa-sha1", NEW + "sm2-sm3"))
    digest = Message(RSA).text()
    value = re.search("<ds:DigestValue>(.*?)</ds:DigestValue>", digest).group(1)
    case("digest-value-changed", ["VF-165"], digest.replace(value, b64(bytes(20))))


def wrapped():
    """Signature wrapping by its names, and a second signature."""
    right = Message(RSA).text()
    signature = re.search("<ds:Signature .*</ds:Signature>", right, re.S).group(0)
    bare = right.replace(signature, "")
    moved = instead(bare, "</ceb:Order>", f"<ceb:x>{signature}</ceb:x></ceb:Order>")
    case("wrapped-moved", ["VF-112"], moved)
    case("second-signature", ["VF-111"], instead(right, signature, signature + signature))
    part = instead(right, 'URI=""', 'URI="#part"')
    case("wrapped-part", ["VF-112", "VF-165"], part)
    inside = instead(right, "</ds:Signature>", f"<ds:Object>{bare.split('?>', 1)[1]}</ds:Object></ds:Signature>")
    case("wrapped-object", ["VF-113"], inside)
    case("no-signature", ["VF-110"], bare)


# --- announcement 179

HEAD = ('{"guid":"00000000-0000-4000-8000-00000000001A","initalRequest":"https://pay.example/req?a=1&b=2","initalResponse":"ok",'
        '"ebpCode":"1100000000","payCode":"000000T001","payTransactionId":"TEST0000000000000001","totalAmount":88.5,"currency":"142",'
        '"verDept":"3","payType":"1","tradingTime":"20300101000000","note":"合成样例"}')
LISTS = ('[{"orderNo":"TEST-ORDER-1","goodsInfo":[{"gname":"测试商品","itemLink":"https://shop.example/i/1"}],'
         '"recpAccount":"TESTACCOUNT1","recpCode":"","recpName":"TEST"}]')


def string(head=HEAD, lists=LISTS, session="S-1", time="1893456000000", quote='"'):
    return (f'"sessionID":"{session}"||"payExchangeInfoHead":{quote}{head}{quote}||'
            f'"payExchangeInfoLists":{quote}{lists}{quote}||"serviceTime":"{time}"')


def posted(signer, signed, head=HEAD, lists=LISTS, number=None, time="1893456000000", form=None, **how):
    value = b64((form or signer.raw)(signer.sign(signed.encode(), **how)))
    return (f'{{"sessionID":"S-1","payExchangeInfoHead":{head},"payExchangeInfoLists":{lists},"serviceTime":"{time}",'
            f'"certNo":"{number or signer.number}","signValue":"{value}"}}')


def escaped(json_text):
    return json_text.replace('"', '\\"')


def swapped(head):
    return instead(head, '"verDept":"3","payType":"1"', '"payType":"1","verDept":"3"')


def cases_179():
    for signer in (RSA, SM2):
        kind, given = signer.kind, f"customs-{signer.kind}"

        def add(name, expected, octets, **more):
            case(f"179-{name}-{kind}", expected, octets, kind="179", **{"given": given, **more})

        add("right", [], posted(signer, string()))
        add("newline-signed", ["VF-201"], posted(signer, string() + "\n"))
        add("newline-left", ["VF-201"], string() + "\n", signature=sig(signer, string() + "\n", kind))
        add("newline-added", ["VF-201"], string() + "\n", signature=sig(signer, string(), kind))
        add("escaped-twice", ["VF-202"], posted(signer, string(escaped(HEAD), escaped(LISTS))))
        add("number-in-quotes", ["VF-203"], posted(signer, string(instead(HEAD, "88.5", '"88.5"'))))
        add("number-as-float", ["VF-203"], posted(signer, string(instead(HEAD, "88.5", "88.50"))))
        add("field-order", ["VF-204"], posted(signer, string(swapped(HEAD)), head=swapped(HEAD)))
        add("slashes", ["VF-205"], posted(signer, string(HEAD.replace("/", "\\/"), LISTS.replace("/", "\\/"))))
        spaced = (HEAD.replace('":', '": ').replace(',"', ', "'), LISTS.replace('":', '": ').replace(',"', ', "'))
        add("spaces", ["VF-206"], posted(signer, string(*spaced)))
        add("number-upper-case", ["VF-212"], posted(signer, string(), number=signer.number.upper()))
        add("number-of-another", ["VF-211"], posted(signer, string(), number="0badcafe"))
        add("changed", [], posted(signer, string(instead(HEAD, "88.5", "88.6"))), unexplained=True)
        add("expired-at-signing", ["VF-135"], posted(signer, string(time="4070908800000"), time="4070908800000"), at="2099-01-01")
        add("expired", ["VF-130"], posted(signer, string()), at="2099-01-01")
        # What cannot be read has a signature all the same; and each damage to its base64 is no change of the value.
        twice = '"currency":"142","currency":"142"'
        add("field-twice", ["VF-208"], posted(signer, string(), head=instead(HEAD, '"currency":"142"', twice)))
        add("field-unknown", ["VF-208"], posted(signer, string(), head=HEAD.replace("inital", "initial")))
        add("number-exponent", ["VF-208"], posted(signer, string(), head=instead(HEAD, "88.5", "8.85e1")))
        add("field-deep", ["VF-208"], posted(signer, string(), head=instead(HEAD, '"142"', "[" * 200 + "]" * 200)))
        add("cut-off", ["VF-208"], posted(signer, string())[:-30])
        add("gbk", ["VF-207"], posted(signer, string()).encode("gbk"))
        add("no-signature", ["VF-110"], re.sub('"signValue":"[^"]*"', '"signValue":""', posted(signer, string())))
        add("field-twice-no-signature", ["VF-110", "VF-208"], re.sub(
            ',"signValue":"[^"]*"', "", posted(signer, string(), head=instead(HEAD, '"currency":"142"', twice))))
        # In a wrapper there is a signature, where nobody looks for it.
        whole = posted(signer, string())
        for name, expected, wrapped in [
            ("array", "VF-207", f"[{whole}]"),
            ("assigned", "VF-207", f"data={whole}"),
            ("zero-width", "VF-207", f"\u200b{whole}"),
            ("nested", "VF-208", f'{{"data":{whole}}}'),
            ("quoted", "VF-207", json.dumps(whole)),
            ("other-form", "VF-207", "paymentData=" + quote(whole)),
        ]:
            add(f"wrapped-{name}", [expected], wrapped)
        add("null-signature", ["VF-110", "VF-208"], re.sub('"signValue":"[^"]*"', '"signValue":null', whole.replace("inital", "initial")))
        right = value_with(signer, "+")
        add("base64-url", ["VF-114"], right.replace("+", "-"))
        add("base64-blanks", ["VF-114"], right.replace("+", " "))
        add("base64-not-padded", ["VF-114"], re.sub('=+"}$', '"}', right))
        add("base64-other", ["VF-114"], right.replace("+", "*"))
        before, value = right.split('"signValue":')
        add("base64-wrapped", [], before + '"signValue":' + value.replace("+", "+\\n").replace("/", "/\\r\\n "))
        # The string by itself, as it was signed.
        order = string(swapped(HEAD))
        add("string-order", ["VF-204"], order, signature=sig(signer, order, kind))
        double = string(escaped(HEAD), escaped(LISTS))
        add("string-escaped", ["VF-202"], double, signature=sig(signer, double, kind))
        add("string-escaped-later", ["VF-202", "VF-210"], double, signature=sig(signer, string(), kind))
        slashes = string(HEAD.replace("/", "\\/"), LISTS)
        add("string-slashes", ["VF-205"], slashes, signature=sig(signer, slashes, kind))
        white = string(instead(HEAD, ",", ", "))
        add("string-space", ["VF-206"], white, signature=sig(signer, white, kind))
        add("string-bom", ["VF-207"], "\ufeff" + string(), signature=sig(signer, string(), kind))
        add("string-blank", ["VF-207"], " " + string(), signature=sig(signer, string(), kind))
        add("string-blank-behind", ["VF-207"], string() + " ", signature=sig(signer, string(), kind))
        add("string-bom-newline", ["VF-201", "VF-207"], "\ufeff" + string() + "\n", signature=sig(signer, string(), kind))
        add("string-bom-changed", ["VF-207"], "\ufeff" + string(), signature=sig(signer, string(time="1893456000001"), kind),
            unexplained=True)
        # Pairs.
        quoted = instead(swapped(HEAD), "88.5", '"88.5"')
        add("order-and-quotes", ["VF-203", "VF-204"], posted(signer, string(quoted), head=swapped(HEAD)))
        both = instead(HEAD, "88.5", '"88.5"').replace("/", "\\/")
        add("quotes-and-slashes", ["VF-203", "VF-205"], posted(signer, string(both, LISTS.replace("/", "\\/"))))
        add("escaped-and-newline", ["VF-201", "VF-202"], posted(signer, double + "\n"))
    case("179-without-z-newline", ["VF-117", "VF-201"], posted(SM2, string() + "\n", z=False), kind="179", given="customs-sm2")
    case("179-without-z-order", ["VF-117", "VF-204"], posted(SM2, string(swapped(HEAD)), head=swapped(HEAD), z=False), kind="179",
         given="customs-sm2")
    case("179-sha256-order", ["VF-204", "VF-209"], posted(RSA, string(swapped(HEAD)), head=swapped(HEAD), hash_name="sha256"),
         kind="179", given="customs-rsa")
    case("179-other-signer-newline", ["VF-109", "VF-201"], posted(OTHER, string() + "\n", number=RSA.number), kind="179",
         given="customs-rsa", anchors=["ca", "customs-other"])
    # A value of another type of key: known by its length; whose it is where the certificate is trusted.
    for signer, given in ((SM2, RSA), (RSA, SM2)):
        octets = posted(signer, string(), number=given.number)
        case(f"179-{signer.kind}-value", ["VF-108"], octets, kind="179", given=given.name)
        case(f"179-{signer.kind}-value-of-known", ["VF-109"], octets, kind="179", given=given.name, anchors=["ca", signer.name])
    case("179-short-rsa", ["VF-114"], posted(RSA, string(), form=lambda value: value[:-1]), kind="179", given="customs-rsa")
    case("179-long-rsa", ["VF-114"], posted(RSA, string(), form=lambda value: b"\0" + value), kind="179", given="customs-rsa")
    case("179-skf-sm2", ["VF-114"], posted(SM2, string(), form=lambda der: bytes(32) + SM2.raw(der)[:32] + bytes(32) + SM2.raw(der)[32:]),
         kind="179", given="customs-sm2")
    case("179-der", ["VF-115"], posted(SM2, string(), form=lambda der: der), kind="179", given="customs-sm2")
    case("179-without-z", ["VF-117"], posted(SM2, string(), z=False), kind="179", given="customs-sm2")
    case("179-empty-identifier", ["VF-118"], posted(SM2, string(), identifier=""), kind="179", given="customs-sm2")
    case("179-sha256", ["VF-209"], posted(RSA, string(), hash_name="sha256"), kind="179", given="customs-rsa")
    case("179-other-signer", ["VF-109"], posted(OTHER, string(), number=RSA.number), kind="179", given="customs-rsa",
         anchors=["ca", "customs-other"])


def value_with(signer, character):
    """Posted data whose signature value has a character."""
    for second in range(1000):
        time = str(1893456000000 + second)
        text = posted(signer, string(time=time), time=time)
        if character in text.split('"signValue":"')[1]:
            return text
    sys.exit(f"no value with {character}")


def sig(signer, message, name, form=None, **how):
    """A signature beside a document, in base64."""
    file = f"sig-{len(CASES)}-{name}.b64"
    put(file, b64((form or signer.raw)(signer.sign(message.encode() if isinstance(message, str) else message, **how))))
    return file


# --- logins, raw signatures, CMS

def other_cases():
    random = bytes(range(40, 72))
    text = b64(random).encode()
    login = {"kind": "login", "role": "customs"}
    case("login-right", [], random, signature=sig(SM2, random, "login"), given="customs-sm2", **login)
    case("login-text-signed", ["VF-221"], random, signature=sig(SM2, text, "login"), given="customs-sm2", **login)
    case("login-without-z", ["VF-117"], random, signature=sig(SM2, random, "login", z=False), given="customs-sm2", **login)
    case("login-empty-id", ["VF-118"], random, signature=sig(SM2, random, "login", identifier=""), given="customs-sm2", **login)
    case("login-der", ["VF-115"], random, signature=sig(SM2, random, "login", form=lambda d: d), given="customs-sm2", **login)
    case("login-sha256", ["VF-209"], random, signature=sig(RSA, random, "login", hash_name="sha256"), given="customs-rsa", **login)
    case("login-newline", ["VF-167"], random, signature=sig(RSA, random + b"\n", "login"), given="customs-rsa", **login)
    case("login-base64", ["VF-222"], text, signature=sig(SM2, random, "login"), given="customs-sm2", **login)
    case("login-base64-line", ["VF-222"], text + b"\n", signature=sig(RSA, random, "login"), given="customs-rsa", **login)
    case("login-base64-signed", ["VF-222"], text, signature=sig(SM2, text, "login"), given="customs-sm2", **login)
    long = bytes(255 - octet for octet in range(200))
    case("login-long-base64", ["VF-222"], b64(long).encode(), signature=sig(RSA, long, "login"), given="customs-rsa", **login)
    case("login-hex-text", [], random.hex().encode(), signature=sig(SM2, random.hex(), "login"), given="customs-sm2", **login)
    case("login-short-text", [], b"c2hvcnQ=", signature=sig(SM2, b"c2hvcnQ=", "login"), given="customs-sm2", **login)
    case("login-rsa-value", ["VF-108"], random, signature=sig(RSA, random, "login"), given="customs-sm2", **login)
    case("login-other-text", ["VF-109", "VF-221"], random, signature=sig(OTHER, text, "login"), given="customs-rsa",
         anchors=["ca", "customs-other"], **login)
    case("login-other", [], random, signature=sig(RSA, random[::-1], "login"), given="customs-rsa", unexplained=True, **login)
    raw_cases()
    cms_cases()


def raw_file(signer, message, name, form=lambda der: der, **how):
    file = f"sig-{len(CASES)}-{name}.bin"
    put(file, form(signer.sign(message, **how)))
    return file


def raw_cases():
    order = b"pay 100.00\nto account 1\n"
    for signer, given in ((P256, "bank-p256"), (SM2, "customs-sm2"), (RSA, "customs-rsa")):
        how = {"hash_name": "sha256"} if signer.kind == "rsa" else {}

        def add(name, expected, octets, signed, form=lambda der: der, more=None, unexplained=False):
            file = raw_file(signer, signed, name, form, **{**how, **(more or {})})
            case(f"raw-{name}-{signer.kind}", expected, octets, kind="raw", signature=file, given=given, unexplained=unexplained)

        add("right", [], order, order)
        add("crlf", ["VF-166"], order, order.replace(b"\n", b"\r\n"))
        add("lf", ["VF-166"], order.replace(b"\n", b"\r\n"), order)
        add("newline-added", ["VF-167"], order, order[:-1])
        add("newline-cut", ["VF-167"], order[:-1], order)
        add("changed", [], order, order.replace(b"1", b"9"), unexplained=True)
        add("crlf-newline-added", ["VF-166", "VF-167"], order, order[:-1].replace(b"\n", b"\r\n"))
        add("lf-newline-cut", ["VF-166", "VF-167"], order[:-1].replace(b"\n", b"\r\n"), order)
        add("base64", ["VF-114"], order, order, form=lambda der: b64(der).encode() + b"\n")
        add("empty", ["VF-114"], order, order, form=lambda der: b"")
        if signer.kind != "rsa":
            add("raw-for-der", ["VF-116"], order, order, form=signer.raw)
        if signer.kind == "rsa":
            add("sha1", ["VF-209"], order, order, more={"hash_name": "sha1"})
        if signer.kind == "sm2":
            add("without-z", ["VF-117"], order, order, more={"z": False})
            add("empty-id", ["VF-118"], order, order, more={"identifier": ""})
    case("raw-sha512", [], order, kind="raw", given="customs-rsa", unexplained=True,
         signature=raw_file(RSA, order, "raw", hash_name="sha512"))
    for signer, anchor in ((SM2, "customs-sm2"), (RSA, "customs-rsa")):
        how = {"hash_name": "sha256"} if signer.kind == "rsa" else {}
        case(f"raw-{signer.kind}-value-of-known", ["VF-109"], order, kind="raw", given="bank-p256", anchors=["bank", anchor],
             signature=raw_file(signer, order, "raw", **how))
    case("raw-rsa-value", ["VF-108"], order, kind="raw", given="bank-p256", signature=raw_file(RSA, order, "raw", hash_name="sha256"))
    case("raw-other-signer", ["VF-109"], order, kind="raw", given="bank-p256", anchors=["bank", "bank-other"],
         signature=raw_file(BANK_OTHER, order, "raw"))


def cms_cases():
    order = b"pay 100.00\nto account 1\n"
    put("order.txt", order)
    base = ["openssl", "cms", "-sign", "-in", path("order.txt"), "-signer", path("bank-p256.pem"), "-inkey", P256.key,
            "-outform", "DER", "-nosmimecap"]
    put("detached.p7s", run(*base, "-binary"))
    case("cms-right", [], order, kind="cms-detached", signature="detached.p7s")
    put("crlf.p7s", run(*base))
    case("cms-crlf", ["VF-166"], order, kind="cms-detached", signature="crlf.p7s")
    case("cms-newline-added", ["VF-167"], order + b"\n", kind="cms-detached", signature="detached.p7s")
    put("crlf-cut.p7s", run(*base, "-binary", "-in", put("order-cut.txt", order[:-1].replace(b"\n", b"\r\n"))))
    case("cms-crlf-newline", ["VF-166", "VF-167"], order, kind="cms-detached", signature="crlf-cut.p7s")
    case("cms-changed", [], order.replace(b"100", b"900"), kind="cms-detached", signature="detached.p7s", unexplained=True)
    case("cms-trailing", ["VF-302"], run(*base, "-binary", "-nodetach") + b"\0", kind="cms")
    attached = run(*base, "-binary", "-nodetach")
    # The content with other line ends between a head that fits it and the signer of the one with LF: RSA, so that both have one length.
    by_rsa = ["openssl", "cms", "-sign", "-signer", path("customs-rsa.pem"), "-inkey", RSA.key, "-outform", "DER", "-nosmimecap",
              "-binary", "-nodetach"]
    crlf = order.replace(b"\n", b"\r\n")
    put("order-crlf.txt", crlf)
    one, other = (run(*by_rsa, "-in", path(name)) for name in ("order.txt", "order-crlf.txt"))
    tail = len(other) - other.index(crlf) - len(crlf)
    case("cms-attached-crlf", ["VF-166"], other[:-tail] + one[-tail:], kind="cms")
    # The value is the OCTET STRING that ends where the message ends: its tag alone may stand inside of the value, too.
    size = next(n for n in range(74, 60, -1) if attached[-n:-n + 2] == bytes([4, n - 2]) and attached[-n + 2] == 0x30)
    der, length, shorter = attached[-size:], size - 2, attached[:-size]
    case("cms-attached", [], attached, kind="cms")
    case("cms-raw-for-der", ["VF-116"], with_value(attached, shorter, P256.raw(der[2:2 + length])), kind="cms")


def with_value(whole, before, value):
    """The message with another signature value, every length around it corrected."""
    return grown(before + bytes([4, len(value)]) + value, len(before) + 2 + len(value) - len(whole))


def grown(octets, by):
    """Adds `by` to the length of every value that ends where the message ends."""
    out, at, end = bytearray(octets), 0, len(octets) - by
    while at < len(out) - 2:
        first = out[at + 1]
        size = first & 0x7F if first & 0x80 else 0
        length = int.from_bytes(out[at + 2:at + 2 + size], "big") if size else first
        start = at + 2 + size
        if start + length == end:
            new = length + by
            out[at + 1:start] = bytes([0x80 | size]) + new.to_bytes(size, "big") if size else bytes([new])
            if out[at] & 0x20:
                at = start
                continue
            break
        at = start + length
    return bytes(out)


authority("ca", "/C=CN/O=测试电子口岸 (SYNTHETIC)/CN=测试电子业务证书管理中心 (SYNTHETIC)")
authority("bank", "/C=CN/O=Synthetic Test Bank/CN=Synthetic Test Bank CA")
for name in ("other", "bank-p256", "bank-other"):
    if name == "other":
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path("other.key"))
    else:
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path(f"{name}.key"))
RSA_KEY = os.path.join(VECTORS, "synthetic_rsa_throwaway.key")
SM2_KEY = os.path.join(VECTORS, "synthetic_sm2_throwaway.key")
RSA = certificate("customs-rsa", RSA_KEY, "0a12cd34", company=OURS, card="8800000000017")
SM2 = certificate("customs-sm2", SM2_KEY, "0300000000000abc", company=OURS, card="8800000000017")
OTHER = certificate("customs-other", path("other.key"), "0a12cd35", company=OURS, card="8800000000025")
STRANGER = certificate("customs-stranger", path("other.key"), "0a12cd36", company=("MA0SYN009", "合成样例另一公司"), card="8800000000033")
ENCRYPTION = certificate("customs-encryption", RSA_KEY, "0a12cd37", usage="keyEncipherment,dataEncipherment", company=OURS, card="8800000000017")
BANK = certificate("bank-rsa", RSA_KEY, "10000000000000ab", ca="bank")
P256 = certificate("bank-p256", path("bank-p256.key"), "10000000000000ac", ca="bank")
BANK_OTHER = certificate("bank-other", path("bank-other.key"), "10000000000000ad", ca="bank")
ceb_cases()
cases_179()
other_cases()
put("cases.json", json.dumps(CASES, ensure_ascii=False, indent=1))
