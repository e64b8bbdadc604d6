// Guidance on two Gaussians: p(x)^(1−s) p(x|c)^s is Gaussian again, so its mean, spread and share beyond 0 are exact.
import { interactive, number, say } from "./kit.js"

const PLAIN = { mean: 0, variance: 4 }, GIVEN = { mean: 1, variance: 1 }

/** Precisions and precision-weighted means of the two, mixed with weights 1 − s and s. */
function guided(s) {
  const precision = (1 - s) / PLAIN.variance + s / GIVEN.variance
  const mean = ((1 - s) * PLAIN.mean / PLAIN.variance + s * GIVEN.mean / GIVEN.variance) / precision
  return { mean, spread: 1 / Math.sqrt(precision) }
}

const density = (x, { mean, spread }) => Math.exp(-(((x - mean) / spread) ** 2) / 2) / (spread * Math.sqrt(2 * Math.PI))

/** The share of a Gaussian to the right of 0, by Simpson's rule between 0 and 8 spreads beyond the mean. */
function share(gaussian) {
  const end = Math.max(gaussian.mean, 0) + 8 * gaussian.spread, n = 400, h = end / n
  let sum = density(0, gaussian) + density(end, gaussian)
  for (let k = 1; k < n; k++) sum += (k % 2 ? 4 : 2) * density(k * h, gaussian)
  return Math.min(1, (sum * h) / 3)
}

// the figure's axes: x = 0 at 190, 32 to the unit; density 0 at 190, 1 at 30
const curve = gaussian =>
  Array.from({ length: 201 }, (_, k) => -5 + k / 20)
    .map((x, k) => `${k ? "L" : "M"}${190 + 32 * x} ${190 - 160 * density(x, gaussian)}`)
    .join(" ")

export default figure =>
  interactive(
    figure,
    { s: { label: say("引导强度 s", "guidance scale s"), min: 0, max: 8, step: 0.5, value: 3, show: s => number(s, 1) } },
    ({ s }, write, drawing, moved) => {
      const result = guided(s), right = share(result)
      if (moved) {
        drawing.querySelector("path.accent").setAttribute("d", curve(result))
        const [label, note] = [...drawing.querySelectorAll("text")].slice(-2)
        label.textContent = say(`引导，s = ${number(s, 1)}`, `guided, s = ${number(s, 1)}`)
        label.setAttribute("y", Math.min(98, Math.max(26, 190 - 145 * density(result.mean, result))))
        note.textContent = say(
          `x > 0 的比例：0.500，0.841，${number(right, 3)}`,
          `share with x > 0: 0.500, 0.841, ${number(right, 3)}`,
        )
      }
      write(say(
        `均值 ${number(result.mean)}，标准差 ${number(result.spread)}，边界右边 ${number(100 * right, 1)}%。`,
        `Mean ${number(result.mean)}, standard deviation ${number(result.spread)}, right of the boundary ${number(100 * right, 1)}%.`,
      ))
    },
  )
