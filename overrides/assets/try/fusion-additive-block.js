// The additive ceiling: four scores f + g − 2 on a block of crossed answers; no choice gets all four right.
import { interactive, number, say } from "./kit.js"

const RIGHT = [["A", "B"], ["B", "A"]]
const names = { A: say("甲", "A"), B: say("乙", "B") }
const signed = value => (value > 0 ? "+" : "") + number(value, 0)
const slider = (label, value) => ({ label, min: -4, max: 4, step: 1, value, show: signed })

export default figure =>
  interactive(
    figure,
    {
      f1: slider(say("问题一 f", "question 1, f"), 2),
      f2: slider(say("问题二 f", "question 2, f"), -1),
      g1: slider(say("图像一 g", "image 1, g"), 2),
      g2: slider(say("图像二 g", "image 2, g"), -1),
    },
    ({ f1, f2, g1, g2 }, write, drawing, moved) => {
      const scores = [[f1 + g1 - 2, f1 + g2 - 2], [f2 + g1 - 2, f2 + g2 - 2]]
      const picks = scores.map(row => row.map(s => (s > 0 ? "A" : s < 0 ? "B" : "")))
      const right = picks.map((row, i) => row.map((pick, j) => pick === RIGHT[i][j]))
      if (moved) {
        const texts = [...drawing.querySelectorAll("text")]
        const inputs = [say("图像一", "image 1") + ` g=${signed(g1)}`, say("图像二", "image 2") + ` g=${signed(g2)}`]
        ;[texts[0].textContent, texts[1].textContent] = inputs
        texts[3].textContent = `f=${signed(f1)}`
        texts[5].textContent = `f=${signed(f2)}`
        const boxes = [...drawing.querySelectorAll("rect")].slice(-4)
        scores.flat().forEach((score, n) => {
          const [pick, ok] = [picks.flat()[n], right.flat()[n]]
          texts[7 + 3 * n].textContent = `s = ${signed(score)}`
          texts[8 + 3 * n].textContent = pick
            ? say(`选${names[pick]}，${ok ? "对" : "错"}`, `picks ${pick}: ${ok ? "right" : "wrong"}`)
            : say("不分，错", "a tie: wrong")
          boxes[n].classList.toggle("accent", !ok)
        })
      }
      const count = right.flat().filter(Boolean).length
      const [diagonal, other] = [scores[0][0] + scores[1][1], scores[0][1] + scores[1][0]]
      write(say(
        `答对 ${count} 格。两条对角线的分数之和总相等：${signed(diagonal)} = ${signed(other)}。全对要求前者为正、后者为负。`,
        `${count} of 4 right. The two diagonals always have the same sum: ${signed(diagonal)} = ${signed(other)}. All right would need the first positive and the second negative.`,
      ))
    },
  )
