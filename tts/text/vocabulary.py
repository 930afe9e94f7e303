"""Words of the main languages for marks that voices omit, misread or say in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

_NAMES = """
    dot slash backslash at dash underscore colon hash plus minus times divided equals unequal less
    greater at_most at_least about plus_minus range squared cubed power root infinity per and_
    and_so_on number section half quarter three_quarters third two_thirds degrees celsius percent
    version
    """.split()  # noqa: SIM905 - quoted words would be hard to read
"""Names of the words in each row of `_WORDS`. `power` has the exponent in the place of `{}`."""

_WORDS = {
    "en": """dot|slash|backslash|at|dash|underscore|colon|hash|plus|minus|times|divided by|equals
|is not equal to|is less than|is greater than|is at most|is at least|about|plus or minus|to|squared
|cubed|to the power of {}|the square root of|infinity|per|and|and so on|number|section|a half
|a quarter|three quarters|a third|two thirds|degrees|celsius|percent|version""",
    "de": """Punkt|Schrägstrich|Backslash|ät|Strich|Unterstrich|Doppelpunkt|Raute|plus|minus|mal
|geteilt durch|gleich|ungleich|kleiner als|größer als|kleiner gleich|größer gleich|etwa|plus minus
|bis|hoch zwei|hoch drei|hoch {}|Wurzel aus|unendlich|pro|und|und so weiter|Nummer|Paragraf|ein halb
|ein Viertel|drei Viertel|ein Drittel|zwei Drittel|Grad|Celsius|Prozent|Version""",
    "fr": """point|slash|antislash|arobase|tiret|tiret bas|deux points|dièse|plus|moins|fois
|divisé par|égale|différent de|inférieur à|supérieur à|inférieur ou égal à|supérieur ou égal à
|environ|plus ou moins|à|au carré|au cube|puissance {}|racine carrée de|l'infini|par|et
|et ainsi de suite|numéro|paragraphe|un demi|un quart|trois quarts|un tiers|deux tiers|degrés
|Celsius|pour cent|version""",
    "es": """punto|barra|barra invertida|arroba|guion|guion bajo|dos puntos|almohadilla|más|menos
|por|dividido por|igual a|distinto de|menor que|mayor que|menor o igual que|mayor o igual que
|aproximadamente|más menos|a|al cuadrado|al cubo|elevado a {}|raíz cuadrada de|infinito|por|y
|y así sucesivamente|número|sección|medio|un cuarto|tres cuartos|un tercio|dos tercios|grados
|Celsius|por ciento|versión""",
    "it": """punto|barra|barra rovesciata|chiocciola|trattino|trattino basso|due punti|cancelletto
|più|meno|per|diviso|uguale a|diverso da|minore di|maggiore di|minore o uguale a|maggiore o uguale a
|circa|più o meno|a|al quadrato|al cubo|elevato a {}|radice quadrata di|infinito|al|e|e così via
|numero|paragrafo|mezzo|un quarto|tre quarti|un terzo|due terzi|gradi|Celsius|per cento
|versione""",
    "pt": """ponto|barra|barra invertida|arroba|traço|sublinhado|dois pontos|cardinal|mais|menos
|vezes|dividido por|igual a|diferente de|menor que|maior que|menor ou igual a|maior ou igual a
|cerca de|mais ou menos|a|ao quadrado|ao cubo|elevado a {}|raiz quadrada de|infinito|por|e
|e assim por diante|número|parágrafo|meio|um quarto|três quartos|um terço|dois terços|graus|Celsius
|por cento|versão""",
    "nl": """punt|slash|backslash|apenstaartje|streepje|laag streepje|dubbele punt|hekje|plus|min
|keer|gedeeld door|is gelijk aan|is niet gelijk aan|is kleiner dan|is groter dan|is hoogstens
|is minstens|ongeveer|plus of min|tot|in het kwadraat|tot de derde|tot de macht {}|de wortel van
|oneindig|per|en|enzovoort|nummer|paragraaf|een half|een kwart|drie kwart|een derde|twee derde
|graden|Celsius|procent|versie""",
    "sv": """punkt|snedstreck|omvänt snedstreck|snabel-a|bindestreck|understreck|kolon|nummertecken
|plus|minus|gånger|delat med|lika med|inte lika med|mindre än|större än|högst|minst|ungefär
|plus minus|till|i kvadrat|i kubik|upphöjt till {}|roten ur|oändligheten|per|och|och så vidare
|nummer|paragraf|en halv|en fjärdedel|tre fjärdedelar|en tredjedel|två tredjedelar|grader|Celsius
|procent|version""",
    "da": """punktum|skråstreg|omvendt skråstreg|snabel-a|bindestreg|understreg|kolon|havelåge|plus
|minus|gange|divideret med|lig med|forskellig fra|mindre end|større end|højst|mindst|cirka
|plus minus|til|i anden|i tredje|opløftet til {}|kvadratroden af|uendelig|per|og|og så videre
|nummer|paragraf|en halv|en kvart|tre kvart|en tredjedel|to tredjedele|grader|celsius|procent
|version""",
    "nb": """punktum|skråstrek|omvendt skråstrek|krøllalfa|bindestrek|understrek|kolon|firkanttegn
|pluss|minus|ganger|delt på|er lik|er ikke lik|mindre enn|større enn|høyst|minst|omtrent
|pluss minus|til|i annen|i tredje|opphøyd i {}|kvadratroten av|uendelig|per|og|og så videre|nummer
|paragraf|en halv|en kvart|tre kvart|en tredjedel|to tredjedeler|grader|celsius|prosent|versjon""",
    "fi": """piste|kauttaviiva|kenoviiva|ät|viiva|alaviiva|kaksoispiste|risuaita|plus|miinus|kertaa
|jaettuna|on yhtä kuin|ei ole yhtä kuin|pienempi kuin|suurempi kuin|enintään|vähintään|noin
|plus miinus|viiva|toiseen|kolmanteen|potenssiin {}|neliöjuuri|ääretön|per|ja|ja niin edelleen
|numero|pykälä|puoli|neljäsosa|kolme neljäsosaa|kolmasosa|kaksi kolmasosaa|astetta|celsiusta
|prosenttia|versio""",
    "pl": """kropka|ukośnik|ukośnik wsteczny|małpa|myślnik|podkreślenie|dwukropek|hasz|plus|minus
|razy|podzielić przez|równa się|nie równa się|mniejsze niż|większe niż|co najwyżej|co najmniej
|około|plus minus|do|do kwadratu|do sześcianu|do potęgi {}|pierwiastek z|nieskończoność|na|i
|i tak dalej|numer|paragraf|pół|jedna czwarta|trzy czwarte|jedna trzecia|dwie trzecie|stopni
|Celsjusza|procent|wersja""",
    "cs": """tečka|lomítko|zpětné lomítko|zavináč|pomlčka|podtržítko|dvojtečka|křížek|plus|minus
|krát|děleno|rovná se|nerovná se|menší než|větší než|nejvýše|nejméně|asi|plus minus|až|na druhou
|na třetí|na {}|odmocnina z|nekonečno|za|a|a tak dále|číslo|paragraf|půl|čtvrtina|tři čtvrtiny
|třetina|dvě třetiny|stupňů|Celsia|procent|verze""",
    "ru": """точка|слэш|обратный слэш|собака|дефис|подчёркивание|двоеточие|решётка|плюс|минус
|умножить на|разделить на|равно|не равно|меньше|больше|не больше|не меньше|примерно|плюс минус|тире
|в квадрате|в кубе|в степени {}|корень из|бесконечность|в|и|и так далее|номер|параграф|половина
|четверть|три четверти|треть|две трети|градусов|Цельсия|процентов|версия""",
    "uk": """крапка|слеш|зворотний слеш|собачка|дефіс|підкреслення|двокрапка|решітка|плюс|мінус
|помножити на|поділити на|дорівнює|не дорівнює|менше|більше|не більше|не менше|приблизно|плюс мінус
|тире|у квадраті|у кубі|у степені {}|корінь з|нескінченність|на|і|і так далі|номер|параграф|половина
|чверть|три чверті|третина|дві третини|градусів|Цельсія|відсотків|версія""",
    "hu": """pont|per|fordított per|kukac|kötőjel|aláhúzás|kettőspont|kettőskereszt|plusz|mínusz
|szorozva|osztva|egyenlő|nem egyenlő|kisebb mint|nagyobb mint|legfeljebb|legalább|körülbelül
|plusz mínusz|kötőjel|a négyzeten|a köbön|a {} hatványon|négyzetgyök|végtelen|per|és|és így tovább
|szám|paragrafus|fél|negyed|háromnegyed|egyharmad|kétharmad|fok|Celsius|százalék|verzió""",
    "ro": """punct|bară|bară inversă|arond|cratimă|liniuță jos|două puncte|diez|plus|minus|ori
|împărțit la|egal cu|diferit de|mai mic decât|mai mare decât|cel mult|cel puțin|aproximativ
|plus minus|până la|la pătrat|la cub|la puterea {}|radical din|infinit|pe|și|și așa mai departe
|numărul|secțiunea|o jumătate|un sfert|trei sferturi|o treime|două treimi|grade|Celsius|la sută
|versiunea""",
    "tr": """nokta|bölü|ters bölü|et|tire|alt çizgi|iki nokta|diyez|artı|eksi|çarpı|bölü|eşittir
|eşit değildir|küçüktür|büyüktür|küçük eşittir|büyük eşittir|yaklaşık|artı eksi|ila|kare|küp
|üzeri {}|karekök|sonsuz|bölü|ve|ve devamı|numara|paragraf|yarım|çeyrek|dörtte üç|üçte bir|üçte iki
|derece|santigrat|yüzde|sürüm""",
    "el": """τελεία|κάθετος|ανάποδη κάθετος|παπάκι|παύλα|κάτω παύλα|άνω κάτω τελεία|δίεση|συν|μείον
|επί|διά|ίσον|διάφορο του|μικρότερο από|μεγαλύτερο από|το πολύ|τουλάχιστον|περίπου|συν πλην|έως
|στο τετράγωνο|στον κύβο|στη δύναμη {}|τετραγωνική ρίζα του|άπειρο|ανά|και|και ούτω καθεξής|αριθμός
|παράγραφος|μισό|ένα τέταρτο|τρία τέταρτα|ένα τρίτο|δύο τρίτα|βαθμοί|Κελσίου|τοις εκατό|έκδοση""",
    "ar": """نقطة|شرطة مائلة|شرطة مائلة عكسية|آت|شرطة|شرطة سفلية|نقطتان|هاشتاغ|زائد|ناقص|ضرب|قسمة
|يساوي|لا يساوي|أصغر من|أكبر من|على الأكثر|على الأقل|حوالي|زائد أو ناقص|إلى|تربيع|تكعيب|أس {}|جذر
|لا نهاية|لكل|و|وهكذا|رقم|فقرة|نصف|ربع|ثلاثة أرباع|ثلث|ثلثان|درجة|مئوية|بالمئة|إصدار""",
    "he": """נקודה|לוכסן|לוכסן הפוך|שטרודל|מקף|קו תחתון|נקודתיים|סולמית|פלוס|מינוס|כפול|חלקי|שווה
|לא שווה|קטן מאשר|גדול מאשר|לכל היותר|לפחות|בערך|פלוס מינוס|עד|בריבוע|בשלישית|בחזקת {}|שורש|אינסוף
|לכל|וגם|וכן הלאה|מספר|סעיף|חצי|רבע|שלושה רבעים|שליש|שני שלישים|מעלות|צלזיוס|אחוז|גרסה""",
    "hi": """डॉट|स्लैश|बैकस्लैश|ऐट|डैश|अंडरस्कोर|कोलन|हैश|प्लस|माइनस|गुणा|भाग|बराबर|बराबर नहीं|से कम
|से अधिक|अधिकतम|कम से कम|लगभग|प्लस माइनस|से|का वर्ग|का घन|की घात {}|वर्गमूल|अनंत|प्रति|और|इत्यादि|नंबर
|धारा|आधा|चौथाई|तीन चौथाई|तिहाई|दो तिहाई|डिग्री|सेल्सियस|प्रतिशत|संस्करण""",
    "id": """titik|garis miring|garis miring terbalik|et|strip|garis bawah|titik dua|pagar|tambah
|minus|kali|dibagi|sama dengan|tidak sama dengan|kurang dari|lebih dari|paling banyak
|paling sedikit|sekitar|plus minus|sampai|kuadrat|pangkat tiga|pangkat {}|akar|tak hingga|per|dan
|dan seterusnya|nomor|pasal|setengah|seperempat|tiga perempat|sepertiga|dua pertiga|derajat|Celsius
|persen|versi""",
    "vi": """chấm|gạch chéo|gạch chéo ngược|a còng|gạch ngang|gạch dưới|hai chấm|thăng|cộng|trừ|nhân
|chia|bằng|khác|nhỏ hơn|lớn hơn|nhiều nhất|ít nhất|khoảng|cộng trừ|đến|bình phương|lập phương|mũ {}
|căn bậc hai của|vô cùng|trên|và|vân vân|số|mục|một nửa|một phần tư|ba phần tư|một phần ba
|hai phần ba|độ|xê|phần trăm|phiên bản""",
    "zh": """点|斜杠|反斜杠|艾特|横杠|下划线|冒号|井号|加|减|乘|除以|等于|不等于|小于|大于|小于等于
|大于等于|约|正负|到|的平方|的立方|的{}次方|根号|无限大|每|和|等等|号|节|二分之一|四分之一|四分之三
|三分之一|三分之二|度|摄氏|百分之|版本""",
    "ja": """ドット|スラッシュ|バックスラッシュ|アットマーク|ハイフン|アンダーバー|コロン|シャープ
|プラス|マイナス|かける|わる|イコール|ノットイコール|しょうなり|だいなり|いか|いじょう|やく
|プラスマイナス|から|のにじょう|のさんじょう|の {} じょう|ルート|むげんだい|まい|と|など|ナンバー
|セクション|にぶんのいち|よんぶんのいち|よんぶんのさん|さんぶんのいち|さんぶんのに|ど|せっし
|パーセント|バージョン""",
    "ko": """점|슬래시|역슬래시|골뱅이|하이픈|밑줄|콜론|샵|더하기|빼기|곱하기|나누기|이퀄|같지 않음
|미만|초과|이하|이상|약|플러스 마이너스|에서|제곱|세제곱|의 {} 제곱|루트|무한대|당|그리고|등등
|번호|절|이분의 일|사분의 일|사분의 삼|삼분의 일|삼분의 이|도|섭씨|퍼센트|버전""",
}

_CURRENCIES = {
    "en": "dollar dollars,euro euros,pound pounds,yen,rupee rupees,ruble rubles,won,yuan,"
    "cent cents",
    "de": "Dollar,Euro,Pfund,Yen,Rupie Rupien,Rubel,Won,Yuan,Cent",
    "fr": "dollar dollars,euro euros,livre livres,yen yens,roupie roupies,rouble roubles,won wons,"
    "yuan yuans,centime centimes",
    "es": "dólar dólares,euro euros,libra libras,yen yenes,rupia rupias,rublo rublos,won wones,"
    "yuan yuanes,centavo centavos",
    "it": "dollaro dollari,euro,sterlina sterline,yen,rupia rupie,rublo rubli,won,yuan,"
    "centesimo centesimi",
    "pt": "dólar dólares,euro euros,libra libras,iene ienes,rupia rupias,rublo rublos,won,yuan,"
    "centavo centavos",
    "nl": "dollar,euro,pond,yen,roepie,roebel,won,yuan,cent",
    "sv": "dollar,euro,pund,yen,rupier,rubel,won,yuan,cent",
    "da": "dollar,euro,pund,yen,rupier,rubler,won,yuan,cent",
    "nb": "dollar,euro,pund,yen,rupi,rubel,won,yuan,cent",
    "fi": "dollari dollaria,euro euroa,punta puntaa,jeni jeniä,rupia rupiaa,rupla ruplaa,"
    "won wonia,yuan yuania,sentti senttiä",
    "pl": "dolar dolary dolarów,euro,funt funty funtów,jen jeny jenów,rupia rupie rupii,"
    "rubel ruble rubli,won wony wonów,juan juany juanów,cent centy centów",
    "cs": "dolar dolary dolarů,euro eura eur,libra libry liber,jen jeny jenů,rupie rupie rupií,"
    "rubl rubly rublů,won wony wonů,jüan jüany jüanů,cent centy centů",
    "ru": "доллар доллара долларов,евро,фунт фунта фунтов,иена иены иен,рупия рупии рупий,"
    "рубль рубля рублей,вона воны вон,юань юаня юаней,цент цента центов",
    "uk": "долар долари доларів,євро,фунт фунти фунтів,єна єни єн,рупія рупії рупій,"
    "рубль рублі рублів,вона вони вон,юань юані юанів,цент центи центів",
    "hu": "dollár,euró,font,jen,rúpia,rubel,von,jüan,cent",
    "ro": "dolar dolari,euro,liră lire,yen yeni,rupie rupii,rublă ruble,won woni,yuan yuani,"
    "cent cenți",
    "tr": "dolar,avro,sterlin,yen,rupi,ruble,von,yuan,sent",
    "el": "δολάριο δολάρια,ευρώ,λίρα λίρες,γιεν,ρουπία ρουπίες,ρούβλι ρούβλια,γουόν,γιουάν,σεντ",
    "ar": "دولار,يورو,جنيه,ين,روبية,روبل,وون,يوان,سنت",
    "he": "דולר,אירו,פאונד,ין,רופי,רובל,וון,יואן,סנט",
    "hi": "डॉलर,यूरो,पाउंड,येन,रुपये,रूबल,वॉन,युआन,सेंट",
    "id": "dolar,euro,pon,yen,rupee,rubel,won,yuan,sen",
    "vi": "đô la,ơ rô,bảng,yên,rupi,rúp,won,nhân dân tệ,xu",
    "zh": "美元,欧元,英镑,日元,卢比,卢布,韩元,人民币,美分",
    "ja": "ドル,ユーロ,ポンド,えん,ルピー,ルーブル,ウォン,げん,セント",
    "ko": "달러,유로,파운드,엔,루피,루블,원,위안,센트",
}
"""Currencies in the order of `CURRENCY_NAMES`: singular, then plural, or after 2 and after 5."""

_REAL = {"real": ("real", "reais")}
CURRENCY_NAMES = ("dollar", "euro", "pound", "yen", "rupee", "ruble", "won", "yuan", "cent")

_DATES = {
    "en": "{month} {day}, {year}|January February March April May June July August September "
    "October November December",
    "de": "{day}. {month} {year}|Januar Februar März April Mai Juni Juli August September Oktober "
    "November Dezember",
    "fr": "{day} {month} {year}|janvier février mars avril mai juin juillet août septembre octobre "
    "novembre décembre",
    "es": "{day} de {month} de {year}|enero febrero marzo abril mayo junio julio agosto septiembre "
    "octubre noviembre diciembre",
    "it": "{day} {month} {year}|gennaio febbraio marzo aprile maggio giugno luglio agosto "
    "settembre ottobre novembre dicembre",
    "pt": "{day} de {month} de {year}|janeiro fevereiro março abril maio junho julho agosto "
    "setembro outubro novembro dezembro",
    "nl": "{day} {month} {year}|januari februari maart april mei juni juli augustus september "
    "oktober november december",
    "sv": "{day} {month} {year}|januari februari mars april maj juni juli augusti september "
    "oktober november december",
    "da": "{day}. {month} {year}|januar februar marts april maj juni juli august september oktober "
    "november december",
    "nb": "{day}. {month} {year}|januar februar mars april mai juni juli august september oktober "
    "november desember",
    "fi": "{day}. {month} {year}|tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta "
    "heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    "pl": "{day} {month} {year}|stycznia lutego marca kwietnia maja czerwca lipca sierpnia "
    "września października listopada grudnia",
    "cs": "{day}. {month} {year}|ledna února března dubna května června července srpna září října "
    "listopadu prosince",
    "ru": "{day} {month} {year} года|января февраля марта апреля мая июня июля августа сентября "
    "октября ноября декабря",
    "uk": "{day} {month} {year} року|січня лютого березня квітня травня червня липня серпня "
    "вересня жовтня листопада грудня",
    "hu": "{year}. {month} {day}|január február március április május június július augusztus "
    "szeptember október november december",
    "ro": "{day} {month} {year}|ianuarie februarie martie aprilie mai iunie iulie august "
    "septembrie octombrie noiembrie decembrie",
    "tr": "{day} {month} {year}|Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim "
    "Kasım Aralık",
    "el": "{day} {month} {year}|Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου "
    "Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου Δεκεμβρίου",
    "ar": "{day} {month} {year}|يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر "
    "نوفمبر ديسمبر",
    "he": "{day} ב{month} {year}|ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר "
    "דצמבר",
    "hi": "{day} {month} {year}|जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    "id": "{day} {month} {year}|Januari Februari Maret April Mei Juni Juli Agustus September "
    "Oktober November Desember",
    "vi": "ngày {day} tháng {month} năm {year}|1 2 3 4 5 6 7 8 9 10 11 12",
    "zh": "{year}年{month}月{day}日|1 2 3 4 5 6 7 8 9 10 11 12",
    "ja": "{year} ねん {month} がつ {day} にち|1 2 3 4 5 6 7 8 9 10 11 12",
    "ko": "{year}년 {month}월 {day}일|1 2 3 4 5 6 7 8 9 10 11 12",
}

_POINT_LANGUAGES = frozenset(
    "en zh ja ko he hi th ar bn ta te ml kn gu pa mr ne sw my".split()  # noqa: SIM905 - as above
)
"""Languages that write 1,234.5; the others write 1.234,5."""
_SLAVIC_FEW = frozenset(["ru", "uk", "pl", "cs"])
_ALIASES = {"cmn": "zh", "yue": "zh", "no": "nb", "nn": "nb", "iw": "he", "in": "id"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one language; those of a language that is not listed are empty."""

    language: str
    """Primary subtag."""
    words: Mapping[str, str]
    currencies: Mapping[str, tuple[str, ...]]
    months: tuple[str, ...]
    date_format: str

    def word(self, name: str) -> str:
        """Return a word by its name in this module; "" in a language that is not listed."""
        return self.words.get(name, "")

    @property
    def has_words(self) -> bool:
        """True for a language that is listed."""
        return bool(self.words)

    @property
    def is_point_decimal(self) -> bool:
        """True if a point separates the decimals, and a comma the thousands."""
        return self.language in _POINT_LANGUAGES

    def counted(self, forms: tuple[str, ...], number: str) -> str:
        """Return the form of a noun after a number, which may have decimals."""
        if not number.isdecimal():
            return forms[1] if len(forms) > 1 else forms[0]
        return forms[min(_form_index(self.language, int(number[-9:])), len(forms) - 1)]

    def date(self, day: int, month: int, year: str) -> str:
        """Return a date with the name of its month."""
        named = self.date_format.format(day=day, month=self.months[month - 1], year=year)
        return named.replace(" ,", ",").strip(" ,")


def _form_index(language: str, number: int) -> int:
    """Index of a plural form (Unicode CLDR): one, few, many; or one, other."""
    if language not in _SLAVIC_FEW:
        return 0 if number == 1 or (language == "fr" and number == 0) else 1
    if language == "cs":
        return 0 if number == 1 else 1 if 2 <= number <= 4 else 2
    ends_in_one = number % 10 == 1 and number % 100 != 11 if language != "pl" else number == 1
    is_few = 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14
    return 0 if ends_in_one else 1 if is_few else 2


def primary_subtag(language: str) -> str:
    """Return the language of a BCP 47 tag as this package names it: `cmn-Hans` is `zh`."""
    primary = language.lower().replace("_", "-").split("-")[0]
    return _ALIASES.get(primary, primary)


@cache
def vocabulary_of(language: str) -> Vocabulary:
    """Return the words of a language; `language` is a BCP 47 tag."""
    primary = primary_subtag(language)
    values = [word.strip() for word in _WORDS.get(primary, "").replace("\n", "").split("|")]
    words = dict(zip(_NAMES, values, strict=True)) if primary in _WORDS else {}
    forms = [tuple(each.split()) for each in _CURRENCIES.get(primary, "").split(",")]
    if primary == "vi":  # words of several syllables, without plural
        forms = [(each,) for each in _CURRENCIES["vi"].split(",")]
    date_format, _, months = _DATES.get(primary, "{year}-{month}-{day}|").partition("|")
    return Vocabulary(
        language=primary,
        words=words,
        currencies=dict(zip(CURRENCY_NAMES, forms, strict=True)) | _REAL if words else {},
        months=tuple(months.split()),
        date_format=date_format,
    )
