// Files: handed in by the browser itself, read out in pieces. Their bytes pass neither this code nor its messages whole.

const inputs = new Map();
const blobs = new Map();
let blobNumber = 0;

// An element that the browser puts a file into; the server asks for it by DevTools and names the file there.
function fileInput(handle) {
  const input = document.createElement('input');
  input.type = 'file';
  inputs.set(handle, input);
  return input;
}

function takeFile({ handle, name, type }) {
  const input = inputs.get(handle);
  inputs.delete(handle);
  const file = input?.files?.[0];
  if (!file) throw new Problem('no_file', 'The browser did not get the file');
  return new File([file], name, { type, lastModified: Date.now() });
}

operations.dropFile = ({ handle }) => {
  inputs.delete(handle);
};

// Downloads a message's file inside the page; answers a handle for readMedia. Over the limit nothing is downloaded.
operations.openMedia = async ({ messageId, most }) => {
  const found = await messageOf(messageId);
  if (found.size > most) throw new Problem('too_large', `The file has ${found.size} bytes, more than the ${most} allowed`);
  const blob = await WPP.chat.downloadMedia(id(found.id));
  if (blob.size > most) throw new Problem('too_large', `The file has ${blob.size} bytes, more than the ${most} allowed`);
  const handle = ++blobNumber;
  blobs.set(handle, blob);
  setTimeout(() => blobs.delete(handle), 600000);
  return { handle, size: blob.size, type: found.mimetype ?? blob.type, name: text(found.filename) ?? null };
};

operations.readMedia = async ({ handle, from, length }) => {
  const blob = blobs.get(handle);
  if (!blob) throw new Problem('no_file', 'The file is not open any more');
  const piece = blob.slice(from, from + length);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(piece);
  });
};

operations.closeMedia = ({ handle }) => {
  blobs.delete(handle);
};
