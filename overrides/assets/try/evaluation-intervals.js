// How many questions tell two scores apart: 95 % intervals, and the difference of two independent runs.
import { interactive, number, say } from "./kit.js"

const error = (share, n) => Math.sqrt((share * (1 - share)) / n)
const across = percent => 72 + (percent - 60) * 11.4 // the figure's axis: 60 % at 72, 11.4 units a point
const percent = share => `${number(100 * share, 1)}%`

export default figure =>
  interactive(
    figure,
    {
      score: { label: say("测得的准确率", "accuracy measured"), min: 0.62, max: 0.83, step: 0.01, value: 0.72, show: p => `${number(100 * p, 0)}%` },
      questions: {
        label: say("题数 n", "questions n"), min: 2, max: 4, step: 0.1, value: 3,
        show: exponent => String(Math.round(10 ** exponent)),
      },
      lead: { label: say("另一个模型高几分", "another model's lead"), min: 0, max: 8, step: 0.5, value: 2, show: p => number(p, 1) },
    },
    ({ score, questions, lead }, write, drawing, moved) => {
      const n = Math.round(10 ** questions), half = 1.96 * error(score, n)
      if (moved) {
        const [line, left, right] = [...drawing.querySelectorAll("path.line")].slice(3, 6)
        const [low, high] = [score - half, score + half].map(p => Math.max(66, Math.min(374, across(100 * p))))
        line.setAttribute("d", `M${low} 66 H${high}`)
        left.setAttribute("d", `M${low} 60 V72`)
        right.setAttribute("d", `M${high} 60 V72`)
        const dots = drawing.querySelectorAll("circle")
        const paths = [...drawing.querySelectorAll("path.line")]
        for (const [row, count, y] of [[0, 100, 34], [2, 10000, 98]]) {
          const [a, b] = [-1, 1].map(sign => Math.max(66, Math.min(374, across(100 * (score + sign * 1.96 * error(score, count))))))
          ;[`M${a} ${y} H${b}`, `M${a} ${y - 6} V${y + 6}`, `M${b} ${y - 6} V${y + 6}`].forEach((d, k) => paths[3 * row + k].setAttribute("d", d))
        }
        for (const dot of dots) dot.setAttribute("cx", across(100 * score))
        const texts = drawing.querySelectorAll("text")
        texts[7].textContent = `n = ${n}`
        texts[texts.length - 1].textContent = say(`测得 ${number(100 * score, 0)}% 时的 95% 区间`, `95% interval when ${number(100 * score, 0)}% is measured`)
      }
      const other = Math.min(0.99, score + lead / 100)
      const apart = 1.96 * Math.hypot(error(score, n), error(other, n))
      const clear = other - score > apart
      write(say(
        `区间 ${percent(score - half)} 到 ${percent(score + half)}。两套独立的题上差 ${number(lead, 1)} 分，误差 ±${number(100 * apart, 1)}：${clear ? "分得开" : "分不开"}。`,
        `Interval ${percent(score - half)} to ${percent(score + half)}. A lead of ${number(lead, 1)} points on two independent sets, give or take ${number(100 * apart, 1)}: ${clear ? "told apart" : "not told apart"}.`,
      ))
    },
  )
