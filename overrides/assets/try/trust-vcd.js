// Visual contrastive decoding on the green banana: the strength α, with and without the set of plausible words.
import { interactive, number, say } from "./kit.js"

const WORDS = [say("黄", "yellow"), say("绿", "green"), say("不相干的词", "an unrelated word")]
const ORIGINAL = [2.0, 1.8, -4], NOISED = [2.2, 0.6, -12], BETA = 0.1
const softmax = logits => {
  const powers = logits.map(Math.exp), total = powers.reduce((a, b) => a + b)
  return powers.map(power => power / total)
}

export default figure =>
  interactive(
    figure,
    {
      alpha: { label: say("强度 α", "strength α"), min: 0, max: 2, step: 0.1, value: 1, show: a => number(a, 1) },
      guarded: { label: say("只在候选集里选（β = 0.1）", "choose among plausible words only (β = 0.1)"), value: true },
    },
    ({ alpha, guarded }, write, drawing, moved) => {
      const logits = ORIGINAL.map((logit, n) => (1 + alpha) * logit - alpha * NOISED[n])
      const plain = softmax(ORIGINAL)
      const allowed = plain.map(p => !guarded || p >= BETA * Math.max(...plain))
      const shares = softmax(logits.map((logit, n) => (allowed[n] ? logit : -Infinity)))
      if (moved) {
        const bars = [...drawing.querySelectorAll("rect")].slice(-2), texts = [...drawing.querySelectorAll("text")]
        const [title, , first, , second, note] = texts.slice(-6)
        ;[first, second].forEach((text, n) => {
          const width = Math.max(0, Math.min(60 * logits[n], 186))
          bars[n].setAttribute("width", width)
          text.setAttribute("x", 172 + width)
          text.textContent = number(logits[n], 1)
        })
        title.textContent = say("VCD，α = ", "VCD, α = ") + number(alpha, 1)
        note.textContent = say(
          `logit：${number(1 + alpha, 1)} × 原图 − ${number(alpha, 1)} × 加噪图`,
          `logits: ${number(1 + alpha, 1)} × original − ${number(alpha, 1)} × noised`,
        )
      }
      const best = shares.indexOf(Math.max(...shares))
      const list = WORDS.map((word, n) => `${word} ${number(shares[n], 3)}`)
      write(say(`概率：${list.join("，")}。说出来的是“${WORDS[best]}”。`, `Probabilities: ${list.join(", ")}. It says “${WORDS[best]}”.`))
    },
  )
