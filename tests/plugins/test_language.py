"""Languages: thirty and more are told apart, what is too short or no language is not, lists are enforced."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from helpers.asgi import harness
from helpers.detectors import rows
from helpers.plugin_settings import called, contributed, settings_for
from yett.detector import CallableDetector
from yett.flow import Phase
from yett_plugins.language import Language, LanguageScanner, known_languages, make_scanner

SENTENCES = {
    "en": "I can not come to the meeting today because there is no train, but I will call you as soon as I am home.",
    "de": "Ich kann heute nicht zu der Sitzung kommen, weil kein Zug fährt, aber ich rufe dich an, wenn ich da bin.",
    "nl": "Ik kan vandaag niet naar de vergadering komen omdat er geen trein is, maar ik bel je als ik thuis ben.",
    "sv": "Jag kan inte komma till mötet i dag eftersom det inte går något tåg, men jag ringer dig när jag är här.",
    "da": "Jeg kan ikke komme til mødet i dag, fordi der ikke kører noget tog, men jeg ringer til dig, når jeg er her.",
    "fr": "Je ne peux pas venir à la réunion car il n'y a pas de train, mais je vous appelle dès que je suis chez moi.",
    "es": "Hoy no puedo ir a la reunión porque no hay tren, pero te llamo en cuanto esté en casa con los papeles.",
    "pt": "Hoje não posso ir à reunião porque não há comboio, mas eu ligo para você quando já estiver em casa.",
    "it": "Oggi non posso venire alla riunione perché non c'è il treno, ma ti chiamo quando sono a casa con le carte.",
    "ro": "Nu pot să vin astăzi la întâlnire pentru că nu este tren, dar te sun când sunt acasă cu toate hârtiile.",
    "pl": "Nie mogę dziś przyjść na spotkanie, bo nie ma pociągu, ale zadzwonię do ciebie, gdy tylko będę już w domu.",
    "cs": "Dnes nemohu přijít na schůzku, protože nejede vlak, ale zavolám ti, když už budu doma a bude to možné.",
    "hu": "Ma nem tudok elmenni a találkozóra, mert nem jár a vonat, de felhívlak, ha már otthon vagyok, és van idő.",
    "fi": "En voi tulla tänään kokoukseen, koska juna ei kulje, mutta soitan sinulle, kun olen kotona ja se on valmis.",
    "tr": "Bugün toplantıya gelemiyorum çünkü tren yok ama eve varınca seni arayacağım ve ne gerekirse o olacak.",
    "id": "Saya tidak bisa datang ke rapat hari ini karena tidak ada kereta, tetapi saya akan menelepon dari rumah.",
    "vi": "Hôm nay tôi không thể đến họp vì không có tàu, nhưng tôi sẽ gọi cho bạn khi về nhà và nói rõ với các anh.",
    "sw": "Siwezi kuja kwenye mkutano leo kwa sababu hakuna treni, lakini nitakupigia simu na kusema kwamba ni sawa.",
    "ru": "Я не могу сегодня прийти на встречу, потому что нет поезда, но я позвоню тебе, как только буду дома.",
    "uk": "Я не можу сьогодні прийти на зустріч, тому що немає потяга, але я подзвоню тобі, коли вже буду та скажу.",
    "bg": "Не мога да дойда на срещата днес, защото няма влак, но ще ти се обадя, когато съм вкъщи и това е всичко.",
    "el": "Δεν μπορώ να έρθω σήμερα στη συνάντηση γιατί δεν υπάρχει τρένο.",
    "he": "אני לא יכול לבוא היום לפגישה כי אין רכבת אבל אתקשר אליך כשאגיע הביתה.",
    "ar": "لا أستطيع أن أحضر الاجتماع اليوم لأن القطار لا يعمل ولكن سوف أتصل بك بعد ذلك من البيت مع كل هذا.",
    "fa": "امروز نمی توانم به جلسه بیایم چون قطار نیست اما از خانه با شما تماس می گیرم و این را برای شما می گویم.",
    "hi": "मैं आज बैठक में नहीं आ सकता क्योंकि कोई ट्रेन नहीं है लेकिन घर से आप को फ़ोन करूँगा और यह काम कर दूँगा।",
    "bn": "আজ আমি সভায় আসতে পারব না কারণ কোনো ট্রেন নেই, আমি পরে ফোন করব।",
    "th": "วันนี้ฉันไปประชุมไม่ได้เพราะไม่มีรถไฟ",
    "ko": "오늘은 기차가 없어서 회의에 갈 수 없습니다 나중에 전화할게요",
    "ja": "今日は電車がないので会議に行けません。後で電話します。",
    "zh": "今天没有火车，所以我不能来开会。到家以后我会给你打电话。",
    "ta": "இன்று ரயில் இல்லாததால் என்னால் கூட்டத்திற்கு வர முடியாது.",
}
UNTOLD = {
    "short": "Hola, ¿qué tal?",
    "one word": "Guten",
    "code": "for (int i = 0; i < n; i++) { total += values[i].price * quantity; } return total_price;",
    "names": "Angela Merkel, Emmanuel Macron, Giorgia Meloni, Pedro Sánchez, Donald Tusk, Mette Frederiksen",
    "numbers": "4111 1111 1111 1111 12,50 EUR 2024-03-01 +49 30 901820 0x1F4B 99.9% 1e-10 17:30:00 +02:00",
    "a fenced block": "```\nder die das und ist nicht ein eine von zu mit auf den dem\n```",
    "URLs": "https://example.com/der/die/das/und/ist/nicht/ein/eine https://example.com/le/la/les",
    "a table": "| id | qty | sku |\n|----|-----|-----|\n| 17 | 3 | AB-1 |\n| 18 | 4 | CD-2 |\n| 19 | 5 | EF-3 |",
    "nothing": "",
}


@pytest.fixture(scope="module")
def scanner() -> LanguageScanner:
    return make_scanner((), 40)


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(scanner: LanguageScanner, language: str) -> None:
    assert language in known_languages()
    assert scanner.language(SENTENCES[language]) == language


@pytest.mark.parametrize("name", UNTOLD)
def test_what_cannot_be_told_is_never_found(scanner: LanguageScanner, name: str) -> None:
    assert scanner.language(UNTOLD[name]) == ""
    assert called(Language, UNTOLD[name], requests=["ja"]) == []


@pytest.mark.parametrize("language", SENTENCES)
def test_what_is_allowed_passes_and_nothing_else(language: str) -> None:
    assert called(Language, SENTENCES[language], requests=[language]) == []
    other = "en" if language == "ja" else "ja"
    (one,) = called(Language, SENTENCES[language], requests=[other])
    assert (one.code, one.start, one.end) == ("language.not_allowed", 0, len(SENTENCES[language]))


def test_a_paragraph_in_another_language_is_found_alone() -> None:
    text = f"{SENTENCES['en']}\n\n{SENTENCES['fr']}\n\n{SENTENCES['en']}"
    (one,) = called(Language, text, requests=["en", "de"])
    assert text[one.start : one.end] == SENTENCES["fr"]


def test_short_paragraphs_are_told_together() -> None:
    words = SENTENCES["fr"].split()
    text = "\n\n".join(" ".join(some) for some in (words[:9], words[9:18]))
    assert [one.start for one in called(Language, text, requests=["en"])] == [0]


def test_each_direction_has_its_own_list() -> None:
    assert contributed(Language) == []
    detectors = contributed(Language, requests=["en", "de"], answers=["en"])
    assert all(isinstance(one, CallableDetector) for one in detectors)
    assert [one.phases for one in detectors] == [{Phase.REQUEST}, {Phase.RESPONSE}]
    assert len(called(Language, SENTENCES["de"], 0, requests=["en", "de"], answers=["en"])) == 0
    assert len(called(Language, SENTENCES["de"], 1, requests=["en", "de"], answers=["en"])) == 1


def test_least_letters_counts() -> None:
    text = "Ich kann heute nicht zu der Sitzung kommen, weil er nicht da ist."
    assert len(called(Language, text, requests=["en"], least_letters=40)) == 1
    assert len(called(Language, text, requests=["en"], least_letters=100)) == 0


@pytest.mark.parametrize(
    "config",
    [{"requests": ["xx"]}, {"requests": ["english"]}, {"answers": ["EN"]}, {"least_letters": 5}, {"a": 1}],
    ids=str,
)
def test_wrong_settings_are_errors(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Language.Config.model_validate(config)


@pytest.mark.parametrize(
    "name", ["mitre_frr_benign", "wildguard_benign", "xstest_safe", "bfcl_benign", "gpteacher_codegen_benign"]
)
def test_english_texts_of_others_pass(scanner: LanguageScanner, name: str) -> None:
    texts = [row["text"] for row in rows(f"injection/{name}.jsonl") if row["label"] == "benign"]
    english = make_scanner(("en",), 40)
    assert len(texts) >= 250
    assert [text for text, found in zip(texts, english.scan(texts), strict=True) if found] == []


async def test_another_language_is_refused(tmp_path) -> None:
    async with harness(tmp_path, settings=settings_for(Language, {"requests": ["en"]})) as gate:
        assert (await gate.chat(SENTENCES["en"])).status == 200
        assert (await gate.chat(SENTENCES["pl"])).status == 400
