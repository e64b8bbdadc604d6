// InfoNCE on three pairs: the temperature, and what it does to the softmax of each row and to the loss.
import { interactive, number, say } from "./kit.js"

const S = [[0.9, 0.2, 0.1], [0.3, 0.8, 0.4], [0.1, 0.5, 0.6]]
const sum = list => list.reduce((total, value) => total + value, 0)

/** −log of the right answer's share in a softmax over `logits`. */
const entropy = (logits, right) => Math.log(sum(logits.map(x => Math.exp(x - logits[right]))))

function loss(similarity, temperature) {
  const L = similarity.map(row => row.map(s => s / temperature))
  const rows = L.map((row, i) => entropy(row, i))
  const columns = L.map((_, j) => entropy(L.map(row => row[j]), j))
  return (sum(rows) + sum(columns)) / (2 * L.length)
}

export default figure =>
  interactive(
    figure,
    {
      // the slider moves the exponent: temperatures are compared by ratio
      exponent: {
        label: say("温度 τ", "temperature τ"), min: -1.7, max: 0, step: 0.05, value: -1,
        show: x => number(10 ** x, 3),
      },
      twin: { label: say("文 2 也对得上图 3（假负例）", "text 2 fits image 3 as well (a false negative)"), value: false },
    },
    ({ exponent, twin }, write, drawing, moved) => {
      const temperature = 10 ** exponent
      const similarity = S.map(row => [...row])
      if (twin) similarity[2][1] = 0.6
      const shares = similarity.map(row => row.map((_, j) => Math.exp(-entropy(row.map(s => s / temperature), j))))
      if (moved) {
        const cells = drawing.querySelectorAll("text.label")
        const boxes = [...drawing.querySelectorAll("rect")].slice(-cells.length)
        shares.flat().forEach((share, n) => {
          cells[n].textContent = number(share)
          boxes[n].style.fillOpacity = 0.15 + 0.85 * share
        })
        drawing.querySelector("text:last-of-type").textContent =
          say("每行的 softmax(S/τ)，τ = ", "softmax(S/τ) of each row, τ = ") + number(temperature, 3)
      }
      const [now, guess] = [number(loss(similarity, temperature), 4), number(Math.log(3), 4)]
      const [right, wrong] = [number(shares[2][2]), number(shares[2][1])]
      write(say(
        `损失 ${now}（随机猜是 ${guess}）。第 3 行给正例 ${right}，给最近的负例 ${wrong}。`,
        `Loss ${now} (a guess: ${guess}). Row 3 gives its positive ${right} and the nearest negative ${wrong}.`,
      ))
    },
  )
