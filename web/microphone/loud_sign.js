// The first sign of a voice: sound that is louder than all that is expected. Runs in the audio worklet.

/** Samples of a block at 16 kHz: 8 ms. */
const BLOCK_SAMPLES = 128;
/** Blocks for which a sound that was played may return. */
const RETURN_BLOCKS = 64;
/** Blocks of the last few that must be loud. */
/** Blocks in which a voice may rise until it is loud. */
const WAITING_BLOCKS = 32;
const LOUD_BLOCKS = 4;
const RECENT_BLOCKS = 5;
const PLAYED_DB = -50;
/** Sound this quiet is no sign, dB below full scale. */
const QUIET_DB = -45;
/** Above the noise of the room, and above the loudest return. */
const NOISE_MARGIN_DB = 15;
const RETURN_MARGIN_DB = 9;
const FIRST_NOISE_DB = -60;
/** Blocks of loud playback after which it is known how it returns: 1 s. There are no signs before. */
const KNOWN_BLOCKS = 125;
const FIRST_RETURN_DB = -60;
/** Noise varies; this much above its minimum is still noise. */
const NOISE_RANGE_DB = 8;
/** What is known fades, per block: the noise rises by 5 dB, the return falls by 1.2 dB a second. */
const NOISE_RISE_DB = 0.04;
const RETURN_FALL_DB = 0.01;
/** A false alarm is remembered as loud for some seconds. */
const ALARM_FALL_DB = 0.01;
const ALARM_MARGIN_DB = 3;

/** Learns how loud the room is and the sound of the page returns, block by block. */
export class LoudSign {
  #sums = [0, 0];
  #filled = 0;
  #playedDb = new Array(RETURN_BLOCKS).fill(-100);
  #noiseDb = FIRST_NOISE_DB;
  #returnDb = FIRST_RETURN_DB;
  #alarmDb = -100;
  #knownBlocks = 0;
  /** Of the last blocks without a loud one; a voice may be rising in them. */
  #waiting = [];
  #recent = [];
  /** Blocks since a loud one. */
  #quietBlocks = RETURN_BLOCKS;
  /** Loudest of the last loud blocks, and of what returned. */
  #loudestDb = -100;
  #loudestReturnDb = -100;

  /** Takes one sample of the microphone and one of what was played; returns true if a voice may have begun. */
  add(microphone, played) {
    this.#sums[0] += microphone * microphone;
    this.#sums[1] += played * played;
    this.#filled += 1;
    if (this.#filled < BLOCK_SAMPLES) return false;
    const [level, own] = this.#sums.map((sum) => 10 * Math.log10(sum / BLOCK_SAMPLES + 1e-10));
    [this.#sums, this.#filled] = [[0, 0], 0];
    return this.#compare(level, own);
  }

  /** The last sign was a false alarm: what it was may come again. */
  forgive() {
    this.#alarmDb = this.#loudestDb;
    this.#returnDb = Math.max(this.#returnDb, this.#loudestReturnDb);
  }

  #compare(level, own) {
    this.#playedDb.push(own);
    this.#playedDb.shift();
    const loudest = Math.max(...this.#playedDb);
    const echo = loudest + this.#returnDb + RETURN_MARGIN_DB;
    const isLoud = level > Math.max(QUIET_DB, this.#noiseDb + NOISE_MARGIN_DB, echo, this.#alarmDb + ALARM_MARGIN_DB);
    this.#noiseDb = Math.min(level, this.#noiseDb + NOISE_RISE_DB);
    this.#alarmDb -= ALARM_FALL_DB;
    this.#remember(isLoud, level, loudest);
    if (loudest > PLAYED_DB) this.#learn(level, level - loudest);
    this.#recent = [...this.#recent, isLoud].slice(-RECENT_BLOCKS);
    const isKnown = this.#knownBlocks > KNOWN_BLOCKS;
    return isKnown && loudest > PLAYED_DB && this.#recent.filter(Boolean).length >= LOUD_BLOCKS;
  }

  #remember(isLoud, level, loudest) {
    this.#quietBlocks = isLoud && this.#knownBlocks > KNOWN_BLOCKS ? 0 : this.#quietBlocks + 1;
    if (this.#quietBlocks > RETURN_BLOCKS) [this.#loudestDb, this.#loudestReturnDb] = [-100, -100];
    if (!isLoud) return;
    this.#loudestDb = Math.max(level, this.#loudestDb);
    this.#loudestReturnDb = Math.max(level - loudest, this.#loudestReturnDb);
  }

  /** Learns, a little later, how loud the sound of the page returns, unless somebody may be talking. */
  #learn(level, returned) {
    if (this.#quietBlocks < RETURN_BLOCKS) {
      this.#waiting = [];
      return;
    }
    this.#knownBlocks += 1;
    this.#returnDb -= RETURN_FALL_DB;
    this.#waiting.push(level > this.#noiseDb + NOISE_RANGE_DB ? returned : -100);
    if (this.#waiting.length > WAITING_BLOCKS) this.#returnDb = Math.max(this.#returnDb, this.#waiting.shift());
  }
}
