"""The words of the embedded English corpus: data alone, one table a part of speech.

Nouns stand under one letter for what they mean, so that verbs, adjectives and prepositions can say
what they go with. Many words stand in two tables (*walk*, *light*, *before*): that is intended.
"""

from __future__ import annotations

# Kinds: P people, A animals, T tools and toys, B containers, C clothes, D texts and works of art,
# F food, V vehicles, L places, R ways, W parts of buildings and furniture, G plants, E events,
# I ideas and speech acts, K chores.
# ``singular/plural`` where the plural is not regular, ``singular/`` where there is none (mass).
NOUNS = {
    "P": """guard cook guide judge nurse coach pilot host tutor witness fool recruit escort sponsor
        volunteer spy cheat rebel graduate scout official adult expert local patient professional
        criminal royal senior novice veteran junior noble
        captive male female child/children woman/women teacher student farmer actor singer
        artist sailor lawyer neighbour girl boy friend king queen soldier worker driver dancer
        writer poet hunter baker doctor captain visitor player mayor""",
    "A": """duck fly seal swallow badger hound cat bird cow goat rabbit fox wolf/wolves lion
        mouse/mice pony donkey puppy goose/geese frog dog monkey tiger sheepdog""",
    "T": """watch drum whistle brush comb hammer stamp label lock trap saw rock present cover hook
        rake mop pump mask mirror toy rope ball light candle camera sword flute ladder coin""",
    "B": "box can pack bottle bag case basket bucket drawer jar trunk barrel",
    "C": "dress coat suit wrap shirt hat scarf/scarves jacket skirt glove",
    "D": """book film record report sketch photograph copy print note sign map picture will painting
        drawing recording file play study review design mail/ poem letter song story list""",
    "F": """roast toast drink meal cake pie apple egg sandwich butter/ water/ bread/ rice/ soup/
        cheese/ bake""",
    "V": "train ship ferry truck bus car bicycle boat plane van lorry tram",
    "L": """park camp shop garden farm house store school bank market field church castle hotel
        village station harbour forest island museum city factory""",
    "R": "trail track bridge path road street river tunnel",
    "W": "door gate window fence table desk chair bench shelf/shelves wall cupboard floor",
    "G": "plant rose tree flower bush hedge",
    "E": """walk run dance fall swim jump march fight hike race rush climb retreat escape visit
        search hunt dive drive ride attack rescue protest debate vote chat talk crash show test
        call raid parade tour trip battle party wedding meeting concert lesson match game laugh
        smile cheer shout rest stay chase break start end kick training/ fighting/ cooking/ hunting/
        climbing/ dancing/""",
    "I": """plan hope fear doubt claim answer question reply promise offer order request demand
        guess joke excuse change thought wish aim worry need warning feeling idea surprise shock
        scare delight concern attempt comfort trouble interest remark signal notice state""",
    "K": "job task work/ exercise puzzle chore",
}

# Nouns that take an infinitive (*the plan to leave*).
INFINITIVE_NOUNS = ["plan", "promise", "offer", "wish", "demand", "order", "request", "need"]
# Nouns that take a clause (*the claim that …*).
CLAUSE_NOUNS = ["hope", "fear", "doubt", "claim", "promise", "guess", "worry", "warning", "idea"]

# Frames: i intransitive, m motion, t transitive, d ditransitive, c that-clause, q whether-clause,
# x infinitive, o object and infinitive. Rows: frame, kinds of the subject, of the object, lemmas.
VERBS = (
    (
        "i",
        "P",
        "",
        """smile laugh dance talk work dream joke cheer chat shout whisper volunteer rebel cheat
        graduate protest vote spy camp box drum whistle shop garden farm act pray argue cook
        sketch""",
    ),
    ("i", "PA", "", "rest sleep wait play fight hunt hide stay starve stare duck swim yawn howl"),
    ("i", "A", "", "bark growl roam"),
    (
        "m",
        "PA",
        "",
        """walk run jump climb race rush crawl escape return retreat march hike stumble wander
        travel swim""",
    ),
    ("i", "ATV", "", "fall drop roll crash sink vanish float rock"),
    ("i", "TBW", "", "break burn crack"),
    ("i", "EII", "", "start end begin continue last fail matter help change work"),
    (
        "t",
        "EEIIIDPA",
        "P",
        """surprise scare shock comfort delight worry alarm interest puzzle bore please annoy amuse
        concern trouble thrill calm charm""",
    ),
    ("t", "CEI", "P", "suit"),
    ("t", "PA", "PAEEEV", "watch"),
    ("t", "P", "PEEIII", "hear follow"),
    ("t", "PA", "PAEEVDLTG", "see"),
    ("t", "P", "PAEEEIIDCFT", "love like hate need"),
    ("t", "PA", "PA", "attack chase kick help lick"),
    ("t", "PA", "PAEEII", "fear miss"),
    (
        "t",
        "P",
        "P",
        """coach tutor fool recruit escort scout badger hound trust blame dress praise greet meet
        address fight""",
    ),
    ("t", "P", "PA", "guide nurse train rescue free calm photograph catch hug"),
    ("t", "P", "PEEE", "judge host witness sponsor film call"),
    ("t", "P", "PIII", "answer question doubt support excuse"),
    ("t", "P", "PL", "visit leave"),
    ("t", "P", "PLWBV", "guard approach"),
    ("t", "P", "V", "pilot drive park ride race sail board fly"),
    ("t", "P", "A", "brush comb walk trap cage chain hunt tame ride shoot"),
    ("t", "P", "F", "cook roast toast taste swallow serve eat bake butter"),
    ("t", "P", "DAL", "study sketch picture draw"),
    ("t", "P", "D", "mark file sign stamp copy print mail edit review correct complete record"),
    ("t", "P", "EI", "plan mention change present enjoy demand"),
    ("t", "P", "BW", "open lock close"),
    ("t", "P", "B", "label seal empty load fill pack ship"),
    ("t", "P", "CT", "dry wrap sell buy store iron"),
    ("t", "P", "TWVLC", "clean paint"),
    ("t", "P", "TB", "drop lift carry hold shake drag cover polish touch steal"),
    ("t", "P", "LR", "search cross clear map block tour"),
    ("t", "P", "G", "plant water"),
    ("t", "P", "F", "warm cool"),
    ("t", "P", "V", "slow"),
    ("t", "P", "L", "tidy"),
    ("t", "P", "BW", "secure"),
    ("t", "P", "VTW", "repair pump test design push"),
    (
        "d",
        "P",
        "TDBCFIII",
        "give send show offer lend hand sell teach bring pass throw owe",
    ),
    (
        "c",
        "P",
        "",
        """think say know believe hope claim report notice hear doubt fear promise guess note signal
        feel remember forget worry suspect complain insist deny reply warn state remark mean dream
        joke wish""",
    ),
    (
        "x",
        "P",
        "",
        """want plan try hope need like love promise offer hate attempt struggle fail decide agree
        refuse learn prefer forget remember demand wish aim hurry prepare vote claim mean help""",
    ),
    (
        "o",
        "P",
        "P",
        """ask tell order force help want need press push trust advise remind warn allow train
        direct beg command urge""",
    ),
    ("q", "P", "", "wonder ask know check remember forget"),
)

# How many times as often as others a verb is drawn: those that are nouns too, by the kind of the
# noun, since nouns for people and places are frequent and the verb should be so as well; and some.
FREQUENT_KINDS = {"P": 6, "L": 6, "V": 6, "A": 5, "G": 5, "E": 2, "B": 3, "C": 3}
FREQUENT = {"have": 8, "do": 8, "like": 6} | dict.fromkeys(
    ("clean", "dry", "open", "empty", "warm", "cool", "slow", "tidy", "secure", "calm"), 3
)

# Verbs that are auxiliaries too: they never head a main clause here, since *has* and *did* could
# not be kept apart between the splits.
EMBEDDED_VERBS = (("t", "P", "ATBCDVIIII", "have"), ("t", "P", "KKKE", "do"))

STATIVE = """see love like hate need want know believe doubt fear mean owe have remember forget
    prefer trust suit matter concern wish think feel suspect hear notice interest agree please miss
    last begin guess say"""

IRREGULAR = """see saw seen; give gave given; send sent sent; show showed shown; lend lent lent;
    sell sold sold; teach taught taught; bring brought brought; throw threw thrown;
    think thought thought; say said said; know knew known; hear heard heard; feel felt felt;
    forget forgot forgotten; mean meant meant; tell told told; leave left left; meet met met;
    drive drove driven; ride rode ridden; fly flew flown; draw drew drawn; buy bought bought;
    hold held held; shake shook shaken; steal stole stolen; eat ate eaten; shoot shot shot;
    swim swam swum; run ran run; fall fell fallen; sink sank sunk; break broke broken;
    hide hid hidden; sleep slept slept; fight fought fought; begin began begun;
    catch caught caught; have had had; do did done"""

DOUBLED = """plan drop stop trap map ship hug wrap chat travel beg shop drum begin forget run swim
    signal label rebel"""

ADJECTIVES = (
    ("PA", "patient tired calm lost young wild trained wounded scared male female captive"),
    (
        "P",
        """expert local official professional criminal royal senior junior noble worried novice
        veteran bored puzzled annoyed alarmed shocked adult""",
    ),
    ("A", "tame fast limp adult"),
    ("TBCW", "clean dry light hard broken hidden painted covered polished"),
    ("BW", "open closed locked empty secure"),
    ("B", "labelled sealed packed"),
    ("F", "cold warm cool dry light hard frozen fresh cooked toasted"),
    (
        "D",
        "secret official present complete correct early recent daily marked signed boring",
    ),
    ("V", "fast slow late early empty broken daily loaded stolen parked"),
    ("L", "quiet tidy clean nearby royal local cold hidden closed guarded"),
    ("R", "straight clear open narrow frozen hard blocked closed"),
    ("G", "dry wild frozen green"),
    ("E", "early late slow fast hard long daily quiet planned secret boring worrying shocking"),
    ("I", "clear secret direct present early perfect worrying surprising alarming puzzling"),
    ("K", "daily hard secret light dull"),
)
GENERAL_ADJECTIVES = ["only", "last", "left", "right", "old", "new", "small", "other"]
GENERAL_KINDS = {
    "left": "WRG",
    "right": "WRG",
    "last": "PEVDI",
    "only": "PAVLRWE",
    "new": "PTCDVLE",
}
# The first do not go before the second: *a male queen*.
SEX_AND_AGE = ["male", "female", "adult", "young", "old"]
OF_SEX_OR_AGE = [
    "woman",
    "girl",
    "boy",
    "king",
    "queen",
    "child",
    "puppy",
    "pony",
    "adult",
    "senior",
]
# Adjectives that stand before a noun alone.
ATTRIBUTIVE = """only last left right other daily local official criminal royal senior adult
    veteran novice junior noble male female captive present trained marked signed covered labelled
    packed painted polished planned loaded stolen parked guarded toasted cooked expert professional
    nearby late"""

# Adverbs after a verb whose subject is a person or an animal, and after any verb.
MANNER = ["fast", "hard", "early", "late", "quietly", "alone", "daily", "straight"]
TIME = ["early", "late", "again", "slowly", "quickly", "daily"]
PLACE_ADVERBS = ["outside", "outside", "inside", "inside", "nearby"]
MOTION_ADVERBS = ["outside", "inside", "around", "past", "behind", "through", "over"]
FREQUENCY = ["only", "only", "still", "still", "often", "always", "never", "rarely", "also"]

# Prepositions of a noun: kinds of the noun, preposition, kinds of what follows.
NOUN_PREPOSITIONS = (
    ("P", "from", "L"),
    ("P", "in", "LV"),
    ("P", "with", "TBACDII"),
    ("PA", "in", "E"),
    ("PA", "at", "E"),
    ("PA", "from", "E"),
    ("P", "of", "E"),
    ("P", "behind", "I"),
    ("P", "with", "I"),
    ("P", "for", "E"),
    ("PA", "near", "LWRG"),
    ("PA", "behind", "WGV"),
    ("PA", "beside", "PAW"),
    ("PAV", "outside", "L"),
    ("PA", "inside", "LV"),
    ("PV", "on", "R"),
    ("ATBCDFVI", "of", "P"),
    ("A", "in", "L"),
    ("TBCDF", "on", "W"),
    ("TCDF", "in", "B"),
    ("TCDF", "inside", "B"),
    ("TBCW", "near", "WBG"),
    ("TBC", "beside", "BW"),
    ("TBC", "under", "W"),
    ("D", "about", "PAEEELII"),
    ("DEK", "for", "P"),
    ("DFT", "from", "PL"),
    ("VR", "to", "L"),
    ("VR", "to", "L"),
    ("VGR", "near", "LR"),
    ("VG", "behind", "L"),
    ("L", "near", "RLG"),
    ("L", "behind", "LG"),
    ("L", "of", "P"),
    ("R", "past", "L"),
    ("R", "around", "L"),
    ("W", "in", "L"),
    ("W", "behind", "G"),
    ("G", "in", "L"),
    ("E", "in", "L"),
    ("E", "with", "P"),
    ("E", "to", "L"),
    ("EI", "before", "E"),
    ("EI", "after", "E"),
    ("I", "about", "EEEDLP"),
    ("I", "from", "P"),
)
# Prepositions of a verb: frames, preposition, kinds of what follows.
VERB_PREPOSITIONS = (
    ("it", "in", "L"),
    ("it", "near", "LRWG"),
    ("i", "like", "PA"),
    ("m", "like", "PA"),
    ("itm", "behind", "LWG"),
    ("it", "beside", "PW"),
    ("itd", "outside", "L"),
    ("it", "inside", "L"),
    ("itmd", "before", "EEI"),
    ("itm", "before", "E"),
    ("itmd", "after", "EEI"),
    ("itm", "after", "E"),
    ("imt", "during", "E"),
    ("imtd", "during", "E"),
    ("imtd", "despite", "I"),
    ("imtd", "without", "I"),
    ("itmd", "after", "I"),
    ("im", "at", "E"),
    ("im", "with", "P"),
    ("m", "to", "L"),
    ("m", "to", "L"),
    ("m", "to", "L"),
    ("m", "to", "LE"),
    ("m", "to", "LRW"),
    ("m", "past", "LPA"),
    ("m", "around", "LG"),
    ("m", "through", "L"),
    ("m", "over", "RW"),
)

NAMES = """Anna Rose Mark Will Grace Frank Paul Maria Pat Jack Emma Bill Peter Lucy Max
    May"""
# Form, whether it agrees as a plural, and its form as an object.
PRONOUNS = (
    ("she", False, "her"),
    ("he", False, "him"),
    ("they", True, "them"),
    ("we", True, "us"),
    ("you", True, "you"),
)
POSSESSIVES = ["my", "her", "his", "our", "their", "your"]
MODALS = ["will", "can", "could", "should", "may", "might", "must", "would"]
NUMERALS = ["two", "three", "four", "five"]

# Prepositions after a verb whose subject is a person or an animal.
LIVING_PREPOSITIONS = ["like", "with", "during", "at"]

# Subordinators whose clause keeps its own tense, and those whose clause takes the main clause's.
FREE_SUBORDINATORS = ["because", "although", "though", "since", "while"]
TEMPORAL_SUBORDINATORS = ["before", "after", "when", "until", "as", "once"]
GERUND_SUBORDINATORS = ["before", "after", "when", "while"]
