"""Text of many scripts and oddities, made from a seed: MixedText.swift makes the same bytes."""

import random

MASK = (1 << 64) - 1
DOCUMENT_COUNT = 88
DOCUMENT_BYTES = 60_000
SEPARATORS = [
    " ", " ", " ", " ", " ", " ", " ", " ", "", "", "\n", "\n\n", "  ", "    ", "\t", "\r\n",
    "\u00a0", "\u3000", "\u2028", "\u200b", "\u0085", " \n ", "\r", ". ", ", ", "'", "’", "-", "_", "\x00",
]


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        return self.next() % bound


def scalar(number):
    """A scalar for any number: surrogates are skipped."""
    value = number % (0x110000 - 0x800)
    return chr(value if value < 0xD800 else value + 0x800)


def document(index, fragments, has_oddities=True):
    """Four kinds of document in turn: prose, prose with oddities, wild scalars, long words."""
    random = SplitMix64(index + 1)
    oddity = [64, 12, 4, 24][index % 4]
    separators = [8, len(SEPARATORS), len(SEPARATORS), 12][index % 4]
    parts, size = [], 0
    while size < DOCUMENT_BYTES:
        if random.below(oddity) > 0 or not has_oddities:
            skewed = random.below(1 << 20)
            part = fragments[len(fragments) * skewed * skewed * skewed >> 60]
        else:
            part = odd_part(random, index % 4 == 3)
        part += SEPARATORS[random.below(separators)]
        parts.append(part)
        size += len(part.encode())
    return "".join(parts)


def odd_part(random, is_long):
    kind = random.below(5)
    count = 1 + random.below(4000 if is_long and random.below(8) == 0 else 12)
    if kind == 0:  # anything
        return "".join(scalar(random.next()) for _ in range(count))
    if kind == 1:  # neighbours in one block
        start = random.next() % 0x32000
        return "".join(scalar(start + random.below(64)) for _ in range(count))
    if kind == 2:  # a letter under marks
        return scalar(0x41 + random.below(0x2000)) + "".join(
            scalar(0x300 + random.below(0x70)) for _ in range(count)
        )
    if kind == 3:  # one thing again and again
        return scalar(0x20 + random.below(0x60)) * count
    return "".join(scalar(0x21 + random.below(0x5E)) for _ in range(count))  # base-94 noise


PROSE = """
The quick brown fox jumps over the lazy dog. It's what they'd said: we're done, I've seen it, he'll come, don't!
IT'S WHAT THEY'D SAID: WE'RE DONE, I'VE SEEN IT, HE'LL COME. A model's weights are pruned where they hardly matter.
Être ou ne pas être, telle est la question; où est le café, garçon? Ça va très bien, merci, l'été prochain.
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Die Straße heißt „Am Fluß“.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío; ¿qué añoraba? ¡Mañana será otro día!
Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń. Pijamalı hasta yağız şoföre çabucak güvendi.
Съешь же ещё этих мягких французских булок, да выпей чаю. Щастя — це не мета, а шлях; їжак ґанок.
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Τὸ γὰρ αὐτὸ νοεῖν ἐστίν τε καὶ εἶναι.
נקודה על שמים כחולים, דג סקרן שט בים מאוכזב. שָׁלוֹם עֲלֵיכֶם
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले। आमि বাংলায় গান গাই। தமிழ் மொழி அழகானது.
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ភាសាខ្មែរ ພາສາລາວ မြန်မာဘာသာ
天地玄黃,宇宙洪荒。我能吞下玻璃而不伤身体。「日本語」の文章です。いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 한국어 ㅋㅋㅋ ㅠㅠ
ქართული ენა მრავალფეროვანია. Հայերեն լեզու. አማርኛ ቋንቋ ᎠᏂᏴᏫᏯ ᚠᛇᚻ᛫ᛒᛦᚦ ᠮᠣᠩᠭᠣᠯ བོད་སྐད་ ދިވެހި ⲙⲉⲧⲣⲉⲙⲛⲭⲏⲙⲓ 𐌰𐌽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒳²
👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☕️ 🤷🏻‍♀️ ❤️‍🔥 😀😃😄 1️⃣ ©®™ №①②Ⅷ½¾ ǅ ﬁﬂ ﬃ Ångström Å Å
e\u0301 a\u0308\u0323 o\u0302\u0301 \u1100\u1161\u11a8 \uac00\u11a8 q\u0307\u0323 \u0344 \u2126 \u212a \u0958 \u1e9b\u0323 ſ'ſ 'ſ
def merge(left: int, right: int) -> dict[str, float]:\n    return {"x": left ** 2, 'y': right // 3}  # 0x1F, 1e-5, 1_000_000
for (int i = 0; i < n; ++i) { a[i] += b[i] * c[i]; } // TODO: ∑ αᵢβᵢ ≥ 0
let value = try reader.next()?.trimmingCharacters(in: .whitespaces) ?? "none"; #include <stdio.h>
<html><body class="a-b c_d">&nbsp;&amp;</body></html> SELECT * FROM t WHERE id IN (1,2,3); $HOME/.config/x.yaml https://example.org/a?b=c&d=%20#e
123 4567 89012345 3.14159 1,234,567.89 ١٢٣ ४५६ 二〇二四年 Ⅻ ² ₃ 2024-02-29T12:34:56Z +49 (0)30 123456
<s> </s> <unk> <pad> <|begin_of_text|> <|eot_id|> <|im_start|>user <|im_end|> <|endoftext|> [INST] [/INST] <0x0A> <0xFF> ▁ ▁▁the Ġword <mask> <extra> keep
"""


def fragments():
    """Words that come again, commonest first; written into Golden/ so that Swift need not make them."""
    shuffled = random.Random(7)
    words = []
    for line in PROSE.strip().split("\n"):
        line = line.encode().decode("unicode_escape").encode("latin-1").decode() if "\\u" in line else line
        words += line.replace("\\n", "\n").split(" ")
        words.append(line)
    alphabets = [
        "etaoinshrdlucmfwyp", "etaoinshrdlucmfwypvbgkqjxzETAOINSHR", "оеаинтсрвлкмдпуяыь", "αβγδεζηθικλμνοπρστυφχψω",
        "אבגדהוזחטיכלמנסעפצקרשת", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौ्ं",
        "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอะาิีึืุู่้", "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生",
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん", "가나다라마바사아자차카타파하고노도로모보소오조초코토포호",
        "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", "éèêëàâäùûüôöîïçñßåøæœšžčřůýąęłżźćń", "0123456789", "0123456789abcdef", "(){}[];:,.<>=+-*/&|!?#%^~\"'`@$\\",
    ]
    for _ in range(2600):
        alphabet = alphabets[min(int(shuffled.expovariate(0.35)), len(alphabets) - 1)]
        words.append("".join(shuffled.choice(alphabet) for _ in range(1 + min(int(shuffled.gammavariate(3, 1.6)), 14))))
    shuffled.shuffle(words)
    return [word for word in words if word and "\x1e" not in word]


def fnv64(data):
    """FNV-1a over bytes."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value
