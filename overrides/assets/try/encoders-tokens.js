// What an image costs in tokens: side, patch and merge.
import { interactive, say, svg } from "./kit.js"

export default figure =>
  interactive(
    figure,
    {
      side: { label: say("边长（像素）", "side (pixels)"), min: 112, max: 1344, step: 112, value: 224 },
      patch: { label: say("块的边长 P", "patch side P"), choices: { 14: "14", 16: "16", 28: "28", 32: "32" }, value: "14" },
      merge: { label: say("合并", "merge"), choices: { 1: say("不合并", "none"), 2: "2 × 2", 4: "4 × 4" }, value: "1" },
    },
    ({ side, patch, merge }, write, drawing, moved) => {
      const row = Math.ceil(side / patch), patches = row ** 2
      const tokens = Math.ceil(row / merge) ** 2
      if (moved) {
        const box = drawing.querySelector("g")
        for (const grid of box.querySelectorAll(".grid")) grid.remove()
        const shown = Math.min(row, 56) // finer lines than that run together
        const d = Array.from({ length: shown - 1 }, (_, k) => (112 * (k + 1)) / shown).map(at => `M${8 + at} 24V136M8 ${24 + at}H120`).join("")
        box.querySelector("rect").after(svg("path", { class: "grid", d }))
        const one = box.querySelector(".fill"), size = 112 / shown, at = Math.floor(shown / 2)
        for (const [name, value] of Object.entries({ x: 8 + at * size, y: 24 + (at - 1) * size, width: size, height: size })) one.setAttribute(name, value)
        drawing.querySelectorAll("text")[1].textContent = say(`${row}×${row} = ${patches} 块`, `${row}×${row} = ${patches} patches`)
      }
      const [seen, read] = [patches, tokens].map(count => count.toLocaleString("en"))
      write(say(
        `${seen} 个图像块，编码器都要看；进语言模型 ${read} 个词元。边长加倍，词元是四倍。`,
        `${seen} patches, which the encoder all sees; ${read} tokens enter the language model. Twice the side, four times the tokens.`,
      ))
    },
  )
