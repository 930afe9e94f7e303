"""Names of units of measurement in the main languages."""

from collections.abc import Mapping
from functools import cache

from tts.text.vocabulary import primary_subtag

UNITS = (
    "km",
    "m",
    "cm",
    "mm",
    "kg",
    "g",
    "mg",
    "l",
    "ml",
    "h",
    "min",
    "s",
    "km/h",
    "MB",
    "GB",
    "TB",
)
_SAME = {
    "L": "l", "mL": "ml", "hr": "h", "hrs": "h", "sec": "s", "secs": "s", "mins": "min",
    "kmh": "km/h", "kph": "km/h", "Mb": "MB", "Gb": "GB",
}  # fmt: skip

_ENGLISH = {
    unit: tuple(names.split("|"))
    for unit, names in {
        "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
        "kbps": "kilobits per second", "Mbps": "megabits per second",
        "Gbps": "gigabits per second", "V": "volt|volts", "W": "watt|watts",
        "kW": "kilowatt|kilowatts", "kWh": "kilowatt hour|kilowatt hours",
        "mA": "milliampere|milliamperes", "mAh": "milliampere hours", "lb": "pound|pounds",
        "lbs": "pounds", "oz": "ounce|ounces", "ft": "foot|feet", "mi": "mile|miles",
        "mph": "mile per hour|miles per hour", "yr": "year|years", "yrs": "years",
        "KB": "kilobyte|kilobytes", "kB": "kilobyte|kilobytes", "dB": "decibel|decibels",
        "px": "pixel|pixels", "fps": "frames per second", "rpm": "revolutions per minute",
        "kcal": "kilocalories", "m/s": "meter per second|meters per second",
    }.items()
}  # fmt: skip
_NAMES = {
    "en": "kilometer kilometers,meter meters,centimeter centimeters,millimeter millimeters,"
    "kilogram kilograms,gram grams,milligram milligrams,liter liters,milliliter milliliters,"
    "hour hours,minute minutes,second seconds,kilometer_per_hour kilometers_per_hour,"
    "megabyte megabytes,gigabyte gigabytes,terabyte terabytes",
    "de": "Kilometer,Meter,Zentimeter,Millimeter,Kilogramm,Gramm,Milligramm,Liter,Milliliter,"
    "Stunde Stunden,Minute Minuten,Sekunde Sekunden,Kilometer_pro_Stunde,Megabyte,Gigabyte,"
    "Terabyte",
    "fr": "kilomètre kilomètres,mètre mètres,centimètre centimètres,millimètre millimètres,"
    "kilogramme kilogrammes,gramme grammes,milligramme milligrammes,litre litres,"
    "millilitre millilitres,heure heures,minute minutes,seconde secondes,"
    "kilomètre_heure kilomètres_heure,mégaoctet mégaoctets,gigaoctet gigaoctets,"
    "téraoctet téraoctets",
    "es": "kilómetro kilómetros,metro metros,centímetro centímetros,milímetro milímetros,"
    "kilogramo kilogramos,gramo gramos,miligramo miligramos,litro litros,mililitro mililitros,"
    "hora horas,minuto minutos,segundo segundos,kilómetro_por_hora kilómetros_por_hora,"
    "megabyte megabytes,gigabyte gigabytes,terabyte terabytes",
    "it": "chilometro chilometri,metro metri,centimetro centimetri,millimetro millimetri,"
    "chilogrammo chilogrammi,grammo grammi,milligrammo milligrammi,litro litri,"
    "millilitro millilitri,ora ore,minuto minuti,secondo secondi,"
    "chilometro_orario chilometri_orari,megabyte,gigabyte,terabyte",
    "pt": "quilômetro quilômetros,metro metros,centímetro centímetros,milímetro milímetros,"
    "quilograma quilogramas,grama gramas,miligrama miligramas,litro litros,mililitro mililitros,"
    "hora horas,minuto minutos,segundo segundos,quilômetro_por_hora quilômetros_por_hora,"
    "megabyte megabytes,gigabyte gigabytes,terabyte terabytes",
    "nl": "kilometer,meter,centimeter,millimeter,kilogram,gram,milligram,liter,milliliter,uur,"
    "minuut minuten,seconde seconden,kilometer_per_uur,megabyte,gigabyte,terabyte",
    "sv": "kilometer,meter,centimeter,millimeter,kilogram,gram,milligram,liter,milliliter,"
    "timme timmar,minut minuter,sekund sekunder,kilometer_i_timmen,megabyte,gigabyte,terabyte",
    "da": "kilometer,meter,centimeter,millimeter,kilogram,gram,milligram,liter,milliliter,"
    "time timer,minut minutter,sekund sekunder,kilometer_i_timen,megabyte,gigabyte,terabyte",
    "nb": "kilometer,meter,centimeter,millimeter,kilogram,gram,milligram,liter,milliliter,"
    "time timer,minutt minutter,sekund sekunder,kilometer_i_timen,megabyte,gigabyte,terabyte",
    "fi": "kilometri kilometriä,metri metriä,senttimetri senttimetriä,millimetri millimetriä,"
    "kilogramma kilogrammaa,gramma grammaa,milligramma milligrammaa,litra litraa,"
    "millilitra millilitraa,tunti tuntia,minuutti minuuttia,sekunti sekuntia,"
    "kilometri_tunnissa kilometriä_tunnissa,megatavu megatavua,gigatavu gigatavua,"
    "teratavu teratavua",
    "pl": "kilometr kilometry kilometrów,metr metry metrów,centymetr centymetry centymetrów,"
    "milimetr milimetry milimetrów,kilogram kilogramy kilogramów,gram gramy gramów,"
    "miligram miligramy miligramów,litr litry litrów,mililitr mililitry mililitrów,"
    "godzina godziny godzin,minuta minuty minut,sekunda sekundy sekund,"
    "kilometr_na_godzinę kilometry_na_godzinę kilometrów_na_godzinę,"
    "megabajt megabajty megabajtów,gigabajt gigabajty gigabajtów,terabajt terabajty terabajtów",
    "cs": "kilometr kilometry kilometrů,metr metry metrů,centimetr centimetry centimetrů,"
    "milimetr milimetry milimetrů,kilogram kilogramy kilogramů,gram gramy gramů,"
    "miligram miligramy miligramů,litr litry litrů,mililitr mililitry mililitrů,"
    "hodina hodiny hodin,minuta minuty minut,sekunda sekundy sekund,"
    "kilometr_za_hodinu kilometry_za_hodinu kilometrů_za_hodinu,"
    "megabajt megabajty megabajtů,gigabajt gigabajty gigabajtů,terabajt terabajty terabajtů",
    "ru": "километр километра километров,метр метра метров,сантиметр сантиметра сантиметров,"
    "миллиметр миллиметра миллиметров,килограмм килограмма килограммов,грамм грамма граммов,"
    "миллиграмм миллиграмма миллиграммов,литр литра литров,миллилитр миллилитра миллилитров,"
    "час часа часов,минута минуты минут,секунда секунды секунд,"
    "километр_в_час километра_в_час километров_в_час,мегабайт мегабайта мегабайт,"
    "гигабайт гигабайта гигабайт,терабайт терабайта терабайт",
    "uk": "кілометр кілометри кілометрів,метр метри метрів,сантиметр сантиметри сантиметрів,"
    "міліметр міліметри міліметрів,кілограм кілограми кілограмів,грам грами грамів,"
    "міліграм міліграми міліграмів,літр літри літрів,мілілітр мілілітри мілілітрів,"
    "година години годин,хвилина хвилини хвилин,секунда секунди секунд,"
    "кілометр_на_годину кілометри_на_годину кілометрів_на_годину,мегабайт мегабайти мегабайтів,"
    "гігабайт гігабайти гігабайтів,терабайт терабайти терабайтів",
    "hu": "kilométer,méter,centiméter,milliméter,kilogramm,gramm,milligramm,liter,milliliter,óra,"
    "perc,másodperc,kilométer_per_óra,megabájt,gigabájt,terabájt",
    "ro": "kilometru kilometri,metru metri,centimetru centimetri,milimetru milimetri,"
    "kilogram kilograme,gram grame,miligram miligrame,litru litri,mililitru mililitri,oră ore,"
    "minut minute,secundă secunde,kilometru_pe_oră kilometri_pe_oră,megabait megabaiți,"
    "gigabait gigabaiți,terabait terabaiți",
    "tr": "kilometre,metre,santimetre,milimetre,kilogram,gram,miligram,litre,mililitre,saat,"
    "dakika,saniye,kilometre_saat,megabayt,gigabayt,terabayt",
    "el": "χιλιόμετρο χιλιόμετρα,μέτρο μέτρα,εκατοστό εκατοστά,χιλιοστό χιλιοστά,κιλό κιλά,"
    "γραμμάριο γραμμάρια,μιλιγκράμ,λίτρο λίτρα,μιλιλίτρ,ώρα ώρες,λεπτό λεπτά,"
    "δευτερόλεπτο δευτερόλεπτα,χιλιόμετρο_την_ώρα χιλιόμετρα_την_ώρα,μεγαμπάιτ,γιγαμπάιτ,τεραμπάιτ",
    "ar": "كيلومتر,متر,سنتيمتر,مليمتر,كيلوغرام,غرام,مليغرام,لتر,مليلتر,ساعة,دقيقة,ثانية,"
    "كيلومتر_في_الساعة,ميغابايت,غيغابايت,تيرابايت",
    "he": "קילומטר,מטר,סנטימטר,מילימטר,קילוגרם,גרם,מיליגרם,ליטר,מיליליטר,שעות,דקות,שניות,"
    "קילומטר_לשעה,מגהבייט,גיגהבייט,טרהבייט",
    "hi": "किलोमीटर,मीटर,सेंटीमीटर,मिलीमीटर,किलोग्राम,ग्राम,मिलीग्राम,लीटर,मिलीलीटर,घंटे,मिनट,सेकंड,"
    "किलोमीटर_प्रति_घंटा,मेगाबाइट,गीगाबाइट,टेराबाइट",
    "id": "kilometer,meter,sentimeter,milimeter,kilogram,gram,miligram,liter,mililiter,jam,menit,"
    "detik,kilometer_per_jam,megabita,gigabita,terabita",
    "vi": "ki_lô_mét,mét,xăng_ti_mét,mi_li_mét,ki_lô_gam,gam,mi_li_gam,lít,mi_li_lít,giờ,phút,giây,"
    "ki_lô_mét_trên_giờ,mê_ga_bai,gi_ga_bai,tê_ra_bai",
    "zh": "公里,米,厘米,毫米,公斤,克,毫克,升,毫升,小时,分钟,秒,公里每小时,兆字节,吉字节,太字节",
    "ja": "キロメートル,メートル,センチメートル,ミリメートル,キログラム,グラム,ミリグラム,リットル,"
    "ミリリットル,じかん,ふん,びょう,キロメートルまいじ,メガバイト,ギガバイト,テラバイト",
    "ko": "킬로미터,미터,센티미터,밀리미터,킬로그램,그램,밀리그램,리터,밀리리터,시간,분,초,"
    "시속_킬로미터,메가바이트,기가바이트,테라바이트",
}
"""In the order of `UNITS`: singular, then plural, or after 2 and after 5; `_` is a space."""


_POWERS = {
    "en": "square {},cubic {}", "de": "Quadrat{},Kubik{}", "fr": "{} carrés,{} cubes",
    "es": "{} cuadrados,{} cúbicos", "it": "{} quadrati,{} cubi", "pt": "{} quadrados,{} cúbicos",
    "nl": "vierkante {},kubieke {}", "sv": "kvadrat{},kubik{}", "da": "kvadrat{},kubik{}",
    "nb": "kvadrat{},kubikk{}", "fi": "neliö{},kuutio{}",
    "pl": "{} kwadratowych,{} sześciennych", "cs": "{} čtverečních,{} krychlových",
    "ru": "квадратных {},кубических {}", "uk": "квадратних {},кубічних {}",
    "hu": "négyzet{},köb{}", "ro": "{} pătrați,{} cubi", "tr": "{}kare,{}küp",
    "el": "τετραγωνικά {},κυβικά {}", "ar": "{} مربع,{} مكعب", "he": "{} מרובע,{} מעוקב",
    "hi": "वर्ग {},घन {}", "id": "{} persegi,{} kubik", "vi": "{} vuông,{} khối",
    "zh": "平方{},立方{}", "ja": "へいほう{},りっぽう{}", "ko": "제곱{},세제곱{}",
}  # fmt: skip
"""Units of areas and volumes, with the plural of the length."""

ALL_UNITS = frozenset([*UNITS, *_SAME, *_ENGLISH])


def power_of_unit(language: str, unit: str, exponent: int) -> str:
    """Return an area or a volume: "square meters"."""
    square, _, cubic = _POWERS[primary_subtag(language)].partition(",")
    form = cubic if exponent == 3 else square
    return form.format(unit.lower() if form.endswith("t{}") or form.endswith("k{}") else unit)


@cache
def units_of(language: str) -> Mapping[str, tuple[str, ...]]:
    """Return the forms of each unit in a language; none for a language that is not listed."""
    names = _NAMES.get(primary_subtag(language))
    if names is None:
        return {}
    forms = [tuple(form.replace("_", " ") for form in each.split()) for each in names.split(",")]
    known = dict(zip(UNITS, forms, strict=True))
    if primary_subtag(language) == "en":
        known |= _ENGLISH
    return known | {other: known[unit] for other, unit in _SAME.items()}
