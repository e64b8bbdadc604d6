// The account of one image on Qwen2-VL-7B's shapes: work and cache against the image's side.
import { interactive, number, say } from "./kit.js"

// language model: parameters of its linear layers, layers, width, KV heads, width of a head; encoder: the same
const LLM = { linear: 6.53e9, layers: 28, width: 3584, heads: 4, head: 128 }
const VIT = { linear: 6.75e8, layers: 32, width: 1280 }
const PATCH = 14, MERGE = 2, TEXT = 96, BYTES = 2

/** What `images` square images cost: each is encoded by itself, the language model reads them all with the text. */
function account(side, images) {
  const patches = (side / PATCH) ** 2, tokens = (images * patches) / MERGE ** 2, all = tokens + TEXT
  return {
    patches: images * patches, tokens, all,
    encoder: images * (2 * VIT.linear * patches + 4 * VIT.layers * patches ** 2 * VIT.width),
    prefill: 2 * LLM.linear * all + 2 * LLM.layers * all ** 2 * LLM.width,
    cache: 2 * LLM.layers * LLM.heads * LLM.head * BYTES * all,
  }
}

const whole = value => Math.round(value).toLocaleString("en")
const tera = value => `${number(value / 1e12, 1)} TFLOP`

export default figure =>
  interactive(
    figure,
    {
      side: { label: say("图像边长（像素）", "side of the image (pixels)"), min: 224, max: 2688, step: 28, value: 1344 },
      images: { label: say("图像张数", "images"), min: 1, max: 8, step: 1, value: 1 },
    },
    ({ side, images }, write, drawing, moved) => {
      const { patches, tokens, all, encoder, prefill, cache } = account(side, images)
      if (moved) {
        const texts = drawing.querySelectorAll("text")
        const many = images > 1 ? `${images} × ` : ""
        const words = {
          0: say(`图像 ${many}${side}²`, `image, ${many}${side}²`),
          2: say(`${whole(patches)} 个图像块`, `${whole(patches)} patches`),
          3: say("编码器 ", "encoder: ") + tera(encoder),
          4: say(`${whole(tokens)} 个词元`, `${whole(tokens)} tokens`),
          6: say(`LLM 预填 ${whole(all)}`, `LLM prefill, ${whole(all)}`),
          7: tera(prefill),
          8: say(`KV 缓存 ${whole(cache / 2 ** 20)} MiB`, `KV cache, ${whole(cache / 2 ** 20)} MiB`),
        }
        for (const [place, text] of Object.entries(words)) texts[place].textContent = text
      }
      write(say(
        `共 ${tera(encoder + prefill)}，编码器占 ${number((100 * encoder) / (encoder + prefill), 0)}%；KV 缓存 ${whole(cache / 2 ** 20)} MiB。`,
        `${tera(encoder + prefill)} in all, ${number((100 * encoder) / (encoder + prefill), 0)}% of it the encoder's; KV cache ${whole(cache / 2 ** 20)} MiB.`,
      ))
    },
  )
