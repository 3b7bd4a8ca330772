"""Addresses by hand: what people write, what they mean, and what somebody with bad intentions writes."""

L64, L65 = "a" * 64, "a" * 65
LABEL63, LABEL64 = "b" * 63, "b" * 64

# As written -> as a mail carries it.
GOOD = {
    **{
        one: one
        for one in """
        lone@gmail.com lone.hansen@gmail.com lone_hansen@gmail.com lone-hansen@gmail.com lone+post@gmail.com l@gmail.com 1@gmail.com
        20123456@gmail.com lone.m.hansen@hotmail.dk lone@hotmail.com lone@outlook.dk lone@outlook.com lone@live.dk lone@live.com
        lone@icloud.com lone@me.com lone@yahoo.dk lone@yahoo.com lone@mail.dk lone@jubii.dk lone@ofir.dk lone@tdcadsl.dk
        lone@webspeed.dk lone@stofanet.dk lone@youmail.dk lone@mail.tele.dk lone@post.tele.dk lone@get2net.dk lone@fibermail.dk
        lone@kabelmail.dk lone@proton.me lone@protonmail.com lone@pm.me lone@gmx.de lone@wp.pl lone@o2.pl lone@aol.com lone@msn.com
        lone@hansen.dk lone@lone-hansen.dk lone@1.dk lone@3f.dk lone@hk.dk lone@foa.dk lone@dsr.dk lone@odense.dk lone@aarhus.dk
        lone@kk.dk lone@regionh.dk lone@rm.dk lone@rsyd.dk lone@post.au.dk lone@student.sdu.dk lone@a.b.c.d.dk lone@x.museum
        lone@firma.consulting lone@firma.email lone@firma.eu lone@firma.nu lone@firma.io lone@firma.no lone@firma.se lone@firma.co.uk
        lone@firma.gl lone@firma.fo lone@firma.pl lone@firma.ro lone@firma.lt lone@firma.ua lone@firma.com.tr lone@firma.so
        x!y@firma.dk x#y@firma.dk x$y@firma.dk x%y@firma.dk x&y@firma.dk x'y@firma.dk x*y@firma.dk x/y@firma.dk x=y@firma.dk
        x?y@firma.dk x^y@firma.dk x`y@firma.dk x{y@firma.dk x|y@firma.dk x}y@firma.dk x~y@firma.dk _@firma.dk -@firma.dk
        a.b.c.d.e.f@firma.dk 0@0.dk lone@xn--sborg-vua.dk o'brien@firma.dk lone.hansen+samtale@gmail.com
        """.split()
    },
    f"{L64}@firma.dk": f"{L64}@firma.dk",
    f"lone@{LABEL63}.dk": f"lone@{LABEL63}.dk",
    " lone@gmail.com": "lone@gmail.com",
    "lone@gmail.com  ": "lone@gmail.com",
    "\tlone@gmail.com": "lone@gmail.com",
    "\u00a0lone@gmail.com": "lone@gmail.com",
    "Lone@Gmail.com": "Lone@gmail.com",
    "LONE@HOTMAIL.DK": "LONE@hotmail.dk",
    "lone@søborg.dk": "lone@xn--sborg-vua.dk",
    "lone@SØBORG.dk": "lone@xn--sborg-vua.dk",
    "lone@blåbær.dk": "lone@xn--blbr-roah.dk",
    "lone@øl.dk": "lone@xn--l-4ga.dk",
    "lone@ærø.dk": "lone@xn--r-3fa9c.dk",
    "lone@bla\u030abær.dk": "lone@xn--blbr-roah.dk",
    "lone@müller.de": "lone@xn--mller-kva.de",
    "lone@café.fr": "lone@xn--caf-dma.fr",
    "lone@łódź.pl": "lone@xn--d-uga0v4h.pl",
}

BAD = [
    *"""
    lone @ lone@ @gmail.com lone@gmail lone.gmail.com lonegmail.com lone@@gmail.com lone@gmail@com lone@gmail.com@firma.dk
    .lone@gmail.com lone.@gmail.com lo..ne@gmail.com lone@.gmail.com lone@gmail..com lone@gmail.com. lone@-gmail.com lone@gmail-.com
    lone@gmail.c lone@gmail.123 lone@127.0.0.1 lone@[127.0.0.1] lone@[IPv6:::1] lone@localhost lone@gmail_com lone@gma_il.com
    lone@gmail,com lone@gmail;com lone@gmail:com lone@gmail/com lone@gmail.com, lone@gmail.com; lone,hansen@gmail.com
    lone;hansen@gmail.com lone:hansen@gmail.com lone(hansen)@gmail.com <lone@gmail.com> lone<hansen>@gmail.com "lone"@gmail.com
    "lone@hansen"@gmail.com "lone\\"@gmail.com lone\\@gmail.com lone[hansen]@gmail.com mailto:lone@gmail.com
    http://gmail.com lone@http://gmail.com lone@gmail.com/inbox lone@gmail.com?subject=x lone@gmail.com#x lone%40gmail.com
    lone@%67mail.com lone(at)gmail.com lone[at]gmail.com lone@gmail.com,ole@gmail.com lone@gmail.com;ole@gmail.com
    æøå@gmail.com søren@gmail.com åse@hotmail.dk jørgen@firma.dk łukasz@wp.pl şükran@gmail.com иван@gmail.com علي@gmail.com 王@gmail.com
    lone@gmаil.com lone@gοogle.com lone@hоtmail.com lone@аррӏе.com lone@яндекс.рф lone@例え.jp lone@מייל.com
    lоne@gmail.com lоnе@gmail.com lone@gmail.com。 lone＠gmail.com lone@ｇmail。ｃom😀 😀@gmail.com lone@😀.dk lone@i❤.ws
    lone@xn--.dk lone@xn--a.dk lone@xn--zzzzzzzz--.dk lone@ab--cd.dk lone@test lone@firma.test lone@firma.invalid lone@firma.local
    lone@firma.localhost lone@firma.onion =lone@gmail.com+ ;@gmail.com (@gmail.com ,@gmail.com .@gmail.com ..@gmail.com
    lone@. lone@.. lone@.dk lone@dk. lone@- lone@-.dk a@b a@b.c
    """.split(),
    "",
    " ",
    "lone hansen@gmail.com",
    "lone@ gmail.com",
    "lone @gmail.com",
    "lone@gmail. com",
    "lone@gmail.com ole@gmail.com",
    "Lone Hansen <lone@gmail.com>",
    "lone@gmail.com (min)",
    "lone at gmail dot com",
    "lone snabel-a gmail punktum com",
    '"lone hansen"@gmail.com',
    '" "@gmail.com',
    "lone@gmail.com\n",
    "lone@gmail.com\r\n",
    "\nlone@gmail.com",
    "lone\n@gmail.com",
    "lone@gmail.com\r\nBcc: chef@firma.dk",
    "lone@gmail.com\nBcc: chef@firma.dk",
    "lone@gmail.com\rBcc: chef@firma.dk",
    "lone@gmail.com%0d%0aBcc:chef@firma.dk\r\n",
    "lone\r\nBcc: chef@firma.dk\r\n@gmail.com",
    '"lone\r\nBcc: chef"@gmail.com',
    "lone@gmail.com\x00",
    "lo\x00ne@gmail.com",
    "lone@gmail.com\x0b",
    "lone@gmail.com\x1b[31m",
    "lone@gmail.com\u2028x",
    "lone@gmail.com\u2029",
    "lone\u200b@gmail.com",
    "lone@gm\u200bail.com",
    "lone\u202e@gmail.com",
    "lone@gmail\u202e.com",
    "\ufefflone@gmail.com",
    "lone@gm\u00adail.com",
    "lone\u00a0hansen@gmail.com",
    "lone@gmail.com\ud800",
    f"{L65}@firma.dk",
    f"{L64}a@gmail.com",
    f"lone@{LABEL64}.dk",
    f"lone@{'b.' * 130}dk",
    f"{L64}@{'.'.join([LABEL63] * 3)}.dk",
    "a" * 10_000,
    "@" * 1000,
    "a@" * 1000,
    f"{'a' * 300}@gmail.com",
    "lone@" + "a" * 300 + ".dk",
    "lone@gmail.com" + " " * 300 + "x",
    "'; DROP TABLE bindings; --@gmail.com",
    "<script>alert(1)</script>@gmail.com",
    "{{7*7}}@@gmail.com",
    "${jndi:ldap://x}@gmail.com",
    "lone@gmail.com|cat",
    "../../etc/passwd",
    "None",
    "null",
    "0",
    "20123456",
    "+4520123456",
    "ja",
]

# As written -> the domain that is meant. Each can be an address, so the caller is asked.
SLIPS = {
    **dict.fromkeys(
        """gmail.con gmail.cmo gmail.vom gmail.comm gmail.co gmail.om gmail.cm gmial.com gmai.com gmal.com gmil.com gamil.com gmaill.com
        ggmail.com gnail.com gmqil.com gmsil.com gmaiil.com gmailcom.com gmail.ocm gmail.xom""".split(),
        "gmail.com",
    ),
    **dict.fromkeys("hotmial.com hotmail.con hotmai.com hotmal.com hotmil.com hormail.com hotamil.com hotmaill.com".split(), "hotmail.com"),
    **dict.fromkeys("hotmial.dk hotmai.dk hotmaildk.dk hotmal.dk hotmail.dl".split(), "hotmail.dk"),
    **dict.fromkeys("outlok.dk outllook.dk outlook.dl outloo.dk".split(), "outlook.dk"),
    **dict.fromkeys("outlok.com outlook.con".split(), "outlook.com"),
    **dict.fromkeys("iclod.com icloud.con iclud.com icould.com".split(), "icloud.com"),
    **dict.fromkeys("yaho.dk yahooo.dk".split(), "yahoo.dk"),
    **dict.fromkeys("live.dl lvie.dk".split(), "live.dk"),
    "gmaıl.com": "gmail.com",  # letters that look alike
    "gmáil.com": "gmail.com",
    "stofane.dk": "stofanet.dk",
    "webspead.dk": "webspeed.dk",
}
