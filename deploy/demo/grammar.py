"""A small probabilistic grammar of English-like sentences, the demo model's only text source.

What it demands of a language model, so that every head and neuron has something to do:

- agreement of verb and subject in number and tense across nested relative clauses;
- pronouns and possessives that agree with a subject named earlier in the story;
- a story's one tense, place and cast, kept from its first sentence to its last;
- quotations and brackets that open and must close;
- selection: each verb prefers the objects of its own class, each noun its own adjectives.

    python grammar.py [SEED] [STORIES]     print stories to standard output

Needs the standard library alone. The same seed always gives the same stories.
"""

import random
import sys

# Animate nouns: singular, plural, pronoun class.
PEOPLE = [
    ("farmer", "farmers", "he"), ("queen", "queens", "she"), ("sailor", "sailors", "he"),
    ("teacher", "teachers", "she"), ("baker", "bakers", "he"), ("painter", "painters", "she"),
    ("doctor", "doctors", "she"), ("child", "children", "it"), ("woman", "women", "she"),
    ("man", "men", "he"), ("thief", "thieves", "he"), ("judge", "judges", "she"),
    ("miller", "millers", "he"), ("singer", "singers", "she"), ("king", "kings", "he"),
    ("nurse", "nurses", "she"), ("guard", "guards", "he"), ("pilot", "pilots", "she"),
]
ANIMALS = [
    ("dog", "dogs", "it"), ("wolf", "wolves", "it"), ("horse", "horses", "it"),
    ("fox", "foxes", "it"), ("owl", "owls", "it"), ("goose", "geese", "it"),
    ("cat", "cats", "it"), ("sheep", "sheep", "it"), ("mouse", "mice", "it"),
    ("ox", "oxen", "it"), ("eagle", "eagles", "it"), ("bear", "bears", "it"),
]

# Things by class; a verb takes the objects of some classes only.
THINGS = {
    "food": [("apple", "apples"), ("loaf", "loaves"), ("cake", "cakes"), ("berry", "berries"),
             ("egg", "eggs"), ("pear", "pears"), ("nut", "nuts"), ("fish", "fish")],
    "tool": [("hammer", "hammers"), ("knife", "knives"), ("rope", "ropes"), ("brush", "brushes"),
             ("axe", "axes"), ("wheel", "wheels"), ("needle", "needles"), ("lamp", "lamps")],
    "text": [("letter", "letters"), ("book", "books"), ("map", "maps"), ("song", "songs"),
             ("story", "stories"), ("poem", "poems"), ("list", "lists"), ("law", "laws")],
    "jewel": [("ring", "rings"), ("crown", "crowns"), ("pearl", "pearls"), ("coin", "coins"),
              ("ruby", "rubies"), ("chain", "chains")],
}

ADJECTIVES = {
    "person": ["old", "young", "clever", "tired", "honest", "proud", "quiet", "brave", "idle"],
    "animal": ["wild", "hungry", "grey", "swift", "tame", "old", "shy", "angry"],
    "food": ["ripe", "sweet", "fresh", "stale", "small", "sour"],
    "tool": ["sharp", "rusty", "heavy", "broken", "new", "iron"],
    "text": ["long", "famous", "secret", "sad", "short", "strange"],
    "jewel": ["golden", "bright", "costly", "stolen", "lost", "silver"],
}

# Verbs: base, third person singular, past, participle, classes of objects.
TRANSITIVE = [
    ("eat", "eats", "ate", "eaten", ["food"]),
    ("bake", "bakes", "baked", "baked", ["food"]),
    ("taste", "tastes", "tasted", "tasted", ["food"]),
    ("mend", "mends", "mended", "mended", ["tool"]),
    ("sharpen", "sharpens", "sharpened", "sharpened", ["tool"]),
    ("use", "uses", "used", "used", ["tool", "text"]),
    ("read", "reads", "read", "read", ["text"]),
    ("write", "writes", "wrote", "written", ["text"]),
    ("learn", "learns", "learned", "learned", ["text"]),
    ("steal", "steals", "stole", "stolen", ["jewel", "food", "tool"]),
    ("wear", "wears", "wore", "worn", ["jewel"]),
    ("polish", "polishes", "polished", "polished", ["jewel", "tool"]),
    ("find", "finds", "found", "found", ["jewel", "text", "tool", "food"]),
    ("hide", "hides", "hid", "hidden", ["jewel", "text", "food"]),
    ("chase", "chases", "chased", "chased", ["animal", "person"]),
    ("see", "sees", "saw", "seen", ["animal", "person", "jewel"]),
    ("follow", "follows", "followed", "followed", ["animal", "person"]),
    ("feed", "feeds", "fed", "fed", ["animal"]),
    ("greet", "greets", "greeted", "greeted", ["person"]),
    ("help", "helps", "helped", "helped", ["person", "animal"]),
    ("fear", "fears", "feared", "feared", ["person", "animal"]),
]
INTRANSITIVE = [
    ("sleep", "sleeps", "slept"), ("run", "runs", "ran"), ("sing", "sings", "sang"),
    ("laugh", "laughs", "laughed"), ("wait", "waits", "waited"), ("dance", "dances", "danced"),
    ("sit", "sits", "sat"), ("stand", "stands", "stood"), ("rest", "rests", "rested"),
    ("leave", "leaves", "left"), ("work", "works", "worked"), ("weep", "weeps", "wept"),
]
DITRANSITIVE = [
    ("give", "gives", "gave"), ("sell", "sells", "sold"), ("bring", "brings", "brought"),
    ("show", "shows", "showed"), ("lend", "lends", "lent"), ("send", "sends", "sent"),
]
CLAUSAL = [
    ("say", "says", "said"), ("think", "thinks", "thought"), ("know", "knows", "knew"),
    ("believe", "believes", "believed"), ("hope", "hopes", "hoped"),
    ("claim", "claims", "claimed"),
]
BE = {("past", False): "was", ("past", True): "were",
      ("present", False): "is", ("present", True): "are"}

PLACES = [
    ("in", "the garden"), ("at", "the market"), ("near", "the river"), ("in", "the forest"),
    ("by", "the old mill"), ("on", "the hill"), ("at", "the harbour"), ("in", "the castle"),
    ("under", "the bridge"), ("behind", "the church"), ("on", "the island"), ("in", "the town"),
]
TIMES = {
    "past": ["yesterday", "last night", "that morning", "long ago", "one winter", "on that day"],
    "present": ["today", "every night", "each morning", "now", "in winter", "on market day"],
}
ADVERBS = ["slowly", "quietly", "gladly", "often", "at once", "again", "with care", "in haste"]
LINKS = ["and", "but", "because", "while", "so", "although"]
NUMBERS = ["two", "three", "four", "five", "six", "seven"]
PRONOUNS = {  # subject, object, possessive
    "he": ("he", "him", "his"), "she": ("she", "her", "her"),
    "it": ("it", "it", "its"), "they": ("they", "them", "their"),
}
POPULARITY = 0.8  # exponent of the Zipf-like weights of the words in each list


class Referent:
    """Somebody or something a story speaks of: its noun, class and number."""

    def __init__(self, noun, kind, plural, pronoun):
        self.noun, self.kind, self.plural, self.pronoun = noun, kind, plural, pronoun


class Storyteller:
    """Draws stories from the grammar with one random generator."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def story(self):
        """One paragraph of four to nine sentences about a fixed cast, place and tense."""
        self.tense = self.pick(["past", "present"])
        self.place = self.pick(PLACES)
        self.cast = self.strangers(self.random.randint(2, 3))
        self.hero = self.cast[0]
        sentences = [self.opening()]
        sentences += [self.sentence() for _ in range(self.random.randint(3, 8))]
        return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)

    # Sentences

    def opening(self):
        hero = self.hero
        where = " ".join(self.place)
        if hero.plural:
            subject = f"{self.pick(NUMBERS)} {self.adjective(hero)} {hero.noun}"
        else:
            subject = self.indefinite(f"{self.adjective(hero)} {hero.noun}")
        verb = {"past": "lived", "present": "live" if hero.plural else "lives"}[self.tense]
        return f"{self.pick(TIMES[self.tense])} {subject} {verb} {where}."

    def sentence(self):
        form = self.random.random()
        if form < 0.14:
            return f"{self.quotation()}."
        if form < 0.38:
            return f"{self.clause(0)} {self.pick(LINKS)} {self.clause(1)}."
        if form < 0.50:
            first, second = self.clause(1), self.clause(1)
            return f"if {first}, then {second}."
        if form < 0.60:
            return f"either {self.clause(1)} or {self.clause(1)}."
        if form < 0.70:
            return f"{self.pick(TIMES[self.tense])} {self.clause(0)}."
        return f"{self.clause(0)}."

    def quotation(self):
        # The quoted clause keeps a tense of its own; the story's comes back after it.
        speaker, verb = self.subject(0), self.pick(CLAUSAL[:2])
        said = self.verb(verb, speaker[1])
        outer, self.tense = self.tense, self.pick(["present", "past"])
        quoted = self.clause(1)
        self.tense = outer
        return f'{speaker[0]} {said}, "{quoted}"'

    def clause(self, depth):
        """A clause; a greater depth nests less."""
        text, who = self.subject(depth)
        form = self.random.random()
        if form < 0.42:
            verb = self.pick(TRANSITIVE)
            predicate = f"{self.verb(verb, who)} {self.object(verb[4], who, depth)}"
        elif form < 0.60:
            predicate = f"{self.verb(self.pick(INTRANSITIVE), who)}{self.manner()}"
        elif form < 0.72:
            receiver = self.other(who)
            gift = self.thing(self.pick(["jewel", "food", "tool", "text"]))
            predicate = (f"{self.verb(self.pick(DITRANSITIVE), who)} {self.phrase(gift, who)} "
                         f"to {self.mention(receiver)}")
        elif form < 0.80 and depth < 2:
            predicate = f"{self.verb(self.pick(CLAUSAL), who)} that {self.clause(depth + 1)}"
        elif form < 0.90:
            predicate = f"{BE[self.tense, who.plural]} {self.complement(who)}"
        else:
            verb, agent = self.pick(TRANSITIVE), self.other(who)
            patient = self.thing(self.pick(verb[4]))
            text = f"the {self.adjective(patient)} {patient.noun}"
            if self.chance(0.4):
                text += f" of {self.mention(who)}"
            predicate = f"{BE[self.tense, patient.plural]} {verb[3]} by {self.mention(agent)}"
        if self.chance(0.12):
            predicate += " " + " ".join(self.place)
        return f"{text} {predicate}"

    # Noun phrases

    def subject(self, depth):
        """A subject's text and referent, at times with a clause between noun and verb."""
        who = self.hero if self.chance(0.5) else self.pick(self.cast)
        if who is self.hero and self.chance(0.45):
            return PRONOUNS[who.pronoun][0], who
        text = self.mention(who)
        if depth < 2 and self.chance(0.34 / (depth + 1)):
            text += f" {self.relative(who, depth + 1)}"
        elif self.chance(0.08):
            text += f" ({self.complement(who)})"
        return text, who

    def relative(self, who, depth):
        pronoun = "that" if who.kind == "animal" else "who"
        form = self.random.random()
        if form < 0.45:
            verb = self.pick(TRANSITIVE)
            return f"{pronoun} {self.verb(verb, who)} {self.object(verb[4], who, depth)}"
        if form < 0.65:
            return f"{pronoun} {self.verb(self.pick(INTRANSITIVE), who)}{self.manner()}"
        actor = self.other(who)
        verb = self.pick([verb for verb in TRANSITIVE if who.kind in verb[4]])
        text = self.mention(actor)
        if depth < 2 and self.chance(0.25):
            text += f" {self.relative(actor, depth + 1)}"
        return f"that {text} {self.verb(verb, actor)}"

    def object(self, kinds, owner, depth):
        kind = self.pick(kinds)
        if kind in ("person", "animal"):
            fitting = [who for who in self.cast if who.kind == kind and who is not owner]
            if fitting and self.chance(0.7):
                who = fitting[0]
                if who is self.hero and self.chance(0.5):
                    return PRONOUNS[who.pronoun][1]
                return self.mention(who)
            return self.phrase(self.animate(kind), owner)
        thing = self.thing(kind)
        text = self.phrase(thing, owner)
        if depth < 2 and self.chance(0.15):
            text += f" that {BE[self.tense, thing.plural]} {self.adjective(thing)}"
        return text

    def phrase(self, what, owner):
        noun = what.noun
        if self.chance(0.45):
            noun = f"{self.adjective(what)} {noun}"
        form = self.random.random()
        if form < 0.30:
            return f"{PRONOUNS[owner.pronoun][2]} {noun}"
        if form < 0.65:
            return f"the {noun}"
        return f"{self.pick(NUMBERS)} {noun}" if what.plural else self.indefinite(noun)

    def mention(self, who):
        return f"the {who.noun}"

    def complement(self, who):
        first, second = self.adjective(who), self.adjective(who)
        return f"{first} and {second}" if first != second and self.chance(0.4) else first

    # Words

    def animate(self, kind=None):
        kind = kind or ("person" if self.chance(0.65) else "animal")
        singular, plural, pronoun = self.pick(PEOPLE if kind == "person" else ANIMALS)
        if self.chance(0.4):
            return Referent(plural, kind, True, "they")
        return Referent(singular, kind, False, pronoun)

    def strangers(self, count):
        """`count` animate referents, no two of the same noun."""
        cast = {}
        while len(cast) < count:
            who = self.animate()
            cast.setdefault(who.noun, who)
        return list(cast.values())

    def thing(self, kind):
        if kind in ("person", "animal"):
            return self.animate(kind)
        singular, plural = self.pick(THINGS[kind])
        if self.chance(0.4):
            return Referent(plural, kind, True, "they")
        return Referent(singular, kind, False, "it")

    def other(self, who):
        return self.pick([one for one in self.cast if one is not who])

    def verb(self, forms, who):
        if self.tense == "past":
            return forms[2]
        return forms[0] if who.plural else forms[1]

    def adjective(self, what):
        return self.pick(ADJECTIVES[what.kind])

    def manner(self):
        return f" {self.pick(ADVERBS)}" if self.chance(0.4) else ""

    @staticmethod
    def indefinite(noun):
        return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, options):
        """One of the options; the earlier ones more often, as words are in real text."""
        weights = [1 / (rank + 2) ** POPULARITY for rank in range(len(options))]
        return self.random.choices(options, weights)[0]


def stories(seed, count):
    """A list of `count` stories; disjoint seeds give independent stories."""
    teller = Storyteller(seed)
    return [teller.story() for _ in range(count)]


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]] + [1, 5][len(sys.argv) - 1:]
    print("\n".join(stories(*arguments)))
