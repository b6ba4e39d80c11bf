/**
 * The pictures of a chat on its way in: fetched and checked at the door, given room in the prompt, named by what an
 * encoder will see.
 * @module
 */
import { createHash } from 'node:crypto'
import { VolleyError } from '../../../runtime/errors.ts'
import type { ChatMessage } from '../../../runtime/engine/text.ts'
import { imageLayout } from '../../../runtime/engine/vision/layout.ts'
import type { ImageSettings } from '../../../runtime/engine/vision/settings.ts'
import type { ServedModel, SubmittedPicture } from '../front.ts'
import type { Hold } from '../pictures/budget.ts'
import type { PictureDoor, PictureFile } from '../pictures/door.ts'
import type { PicturePart } from './messages.ts'

export interface ChatPrompt {
  prompt: number[]
  pictures: SubmittedPicture[]
  /** Tokens of the prompt that stand for pictures. */
  imageTokens: number
  /** Finds damage; to be awaited before the request is submitted. */
  check: () => Promise<void>
}

export interface Caller {
  signal: AbortSignal
  hold: Hold
}

/**
 * Token ids of a chat. Pictures are fetched here, and decoded by `check`, so that what does not fit the context is never
 * decoded. Errors: `model_has_no_vision`, those of PictureDoor and of Prompts.
 */
export async function chatPrompt(
  { text, prompts, pictures: side }: ServedModel,
  door: PictureDoor,
  { messages, pictures: parts }: { messages: ChatMessage[]; pictures: readonly PicturePart[] },
  { signal, hold }: Caller,
): Promise<ChatPrompt> {
  if (parts.length === 0) return { prompt: await prompts({ messages }, signal), pictures: [], imageTokens: 0, check: async () => {} }
  if (side === undefined) {
    throw new VolleyError('model_has_no_vision', `Model "${text.name}" sees no pictures`, {
      param: parts[0]!.param,
      remedy: 'send parts of type text only, or ask a model that sees',
    })
  }
  const files = await door.load(parts, signal, hold)
  const layouts = files.map(({ header }, i) => imageLayout(cutting(side.settings, parts[i]!), header.seen))
  const { tokens, tileStarts } = side.expand(await prompts({ messages }, signal), layouts)
  return {
    prompt: tokens,
    pictures: files.map((picture, i) => ({
      key: keyOf(picture, cutting(side.settings, parts[i]!)),
      whole: parts[i]!.whole,
      starts: tileStarts[i]!,
      file: picture.file,
    })),
    imageTokens: tileStarts.flat().length * side.settings.tileTokens,
    check: () => door.check(files, signal),
  }
}

/** How this picture is cut: as the model's settings say, or not at all. */
const cutting = (settings: ImageSettings, { whole }: PicturePart): ImageSettings => ({
  ...settings,
  splitting: settings.splitting && !whole,
})

const keyOf = ({ digest }: PictureFile, settings: ImageSettings): string =>
  createHash('sha256').update(JSON.stringify(settings)).update(digest).digest('hex')
