"""Words that announce a number, in the languages people write in: the context words of phones and dates of birth."""

from __future__ import annotations

# Each line is a language. Words that scripts without spaces run together are listed with what usually follows them.
PHONE_WORDS = (
    # English
    *("phone", "phones", "telephone", "tel", "tele", "ph", "cell", "cells", "cellphone", "mobile", "mob", "landline"),
    *("hotline", "helpline", "voicemail", "call", "calls", "called", "calling", "callback", "dial", "dialed"),
    *("dialled", "ring", "contact", "contacts", "reach", "reached", "fax", "whatsapp", "sms", "text", "texted"),
    *("message", "messages", "txt", "msg", "telegram", "viber", "direct line", "switchboard", "toll free", "toll-free"),
    # German, Dutch, Scandinavian, Finnish
    *("telefon", "fon", "handy", "handynummer", "mobil", "mobilnummer", "mobiltelefon", "rufnummer", "telefonnummer"),
    *("telefonnr", "anrufen", "anruf", "ruf", "rufen", "rufe", "erreichbar", "erreichen", "festnetz", "durchwahl"),
    *("rückruf", "telefonisch", "telefoon", "telefoonnummer", "mobiel", "bel", "bellen", "gsm", "bereikbaar"),
    *("telefonnumret", "mobilnumret", "mobiltelefonnummer", "ring", "ringa", "ringe", "tlf", "tlf.nr", "mobilen"),
    *("puhelin", "puhelinnumero", "puh", "soita", "soittaa", "matkapuhelin", "kännykkä", "sími", "farsími"),
    # French, Spanish, Portuguese, Catalan, Italian, Romanian
    *("téléphone", "téléphoner", "tél", "portable", "appelez", "appeler", "appelle", "joindre", "joignable"),
    *("numéro", "fixe", "teléfono", "telefono", "tfno", "tlfno", "móvil", "movil", "celular", "llama", "llame"),
    *("llámame", "llamame", "llámenos", "llamar", "llamada", "contacto", "telefone", "telemóvel", "ligue", "liga"),
    *("ligar", "zap", "telèfon", "mòbil", "cellulare", "chiama", "chiamami", "chiamare", "chiamate", "recapito"),
    *("telefonare", "fisso", "telefonul", "sună", "sunați", "sunati", "suna", "apelați"),
    # Polish, Czech, Slovak, Hungarian, South Slavic, Baltic
    *("zadzwoń", "zadzwon", "dzwoń", "dzwonić", "komórka", "komórkowy", "komórki", "telefonu", "zavolejte", "zavolej"),
    *("zavolajte", "volejte", "volat", "hívjon", "hívj", "hívható", "telefonszám", "telefonszáma", "mobilszám"),
    *("nazovite", "pozovite", "pokličite", "pokličete", "mobitel", "telefonas", "skambinkite", "tālrunis", "zvaniet"),
    *("helista", "helistage", "telefoni", "mobiil"),
    # Turkish, Greek, Cyrillic
    *("cep", "arayın", "arayınız", "gsm no", "τηλέφωνο", "τηλ", "κινητό", "καλέστε", "τηλεφωνήστε"),
    *("телефон", "телефона", "телефону", "тел", "моб", "мобильный", "мобильного", "сотовый", "позвоните", "звоните"),
    *("позвонить", "звонить", "мобільний", "зателефонуйте", "дзвоніть", "мобилен", "обадете", "телефонът"),
    *("мобилни", "позовите", "тэлефон", "ватсап", "вотсап"),
    # Hebrew, Arabic, Persian, Urdu, Indic
    *("טלפון", "טל", "נייד", "פלאפון", "התקשר", "התקשרו", "התקשרי", "הטלפון", "هاتف", "الهاتف", "جوال", "الجوال"),
    *("موبايل", "اتصل", "اتصلوا", "تلفون", "واتساب", "تلفن", "موبایل", "تماس", "همراه", "فون"),
    *("फ़ोन", "फोन", "मोबाइल", "कॉल", "संपर्क", "ফোন", "মোবাইল", "நம்பர்", "தொலைபேசி", "ఫోన్", "ਫ਼ੋਨ"),
    # Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian, Filipino, Swahili
    *("电话", "电话是", "电话号码", "电话号码是", "联系电话", "我的电话是", "请致电", "致电", "拨打", "请拨打"),
    *("手机", "手机号", "手机号是", "手机号码", "手机号码是", "我的手机号是", "联系方式", "傳真", "传真", "電話號碼"),
    *("手機", "手機號碼", "行動電話", "請致電", "電話", "電話番号", "電話番号は", "携帯", "携帯番号", "携帯番号は"),
    *("携帯電話", "連絡先", "連絡先は", "ファックス", "전화", "전화번호", "전화번호는", "휴대폰", "휴대전화", "핸드폰"),
    *("연락처", "연락처는", "팩스", "โทร", "โทรศัพท์", "เบอร์", "เบอร์โทร", "มือถือ", "điện thoại", "gọi", "đt", "sđt"),
    *("di động", "liên hệ", "telepon", "hubungi", "ponsel", "handphone", "wa", "tawagan", "simu"),
)

BIRTH_WORDS = (
    *("born", "birth", "birthday", "birthdate", "dob", "d.o.b", "date-of-birth", "date_of_birth", "birth_date"),
    *("dateofbirth", "birth date", "geb", "geboren", "geburtsdatum", "geburtstag", "geburt", "naissance", "né", "née"),
    *("nacimiento", "nacido", "nacida", "nací", "nascita", "nato", "nata", "nascimento", "nascido", "nascida"),
    *("geboortedatum", "geboorte", "född", "födelsedatum", "født", "fødselsdato", "syntynyt", "syntymäaika"),
    *("urodzony", "urodzona", "urodzenia", "ur", "narozen", "narozena", "narození", "született", "születési"),
    *("născut", "născută", "nașterii", "doğum", "doğdu", "рождения", "родился", "родилась", "народився", "γέννησης"),
    *("出生", "出生日期", "生年月日", "生年月日は", "생년월일", "生日"),
)
