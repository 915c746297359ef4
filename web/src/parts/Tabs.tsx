import { Tab, TabList, TabPanel, TabProvider } from '@ariakit/react/tab';
import { type ReactNode, useId } from 'react';

interface TabsProps<Id extends string> {
  label: string;
  tabs: readonly { id: Id; name: string; content: ReactNode }[];
  selected: Id;
  onSelect(id: Id): void;
}

/** One of several views of the same thing. Only the selected one is made. */
export function Tabs<Id extends string>({ label, tabs, selected, onSelect }: TabsProps<Id>) {
  // A page may have several with the same views, and the names of its elements must differ.
  const prefix = useId();
  return (
    <div className="tabs">
      <TabProvider
        selectedId={prefix + selected}
        setSelectedId={(id) => {
          const tab = tabs.find((one) => prefix + one.id === id);
          if (tab !== undefined) onSelect(tab.id);
        }}
      >
        <TabList aria-label={label} className="tablist">
          {tabs.map(({ id, name }) => (
            <Tab key={id} id={prefix + id} className="tab">
              {name}
            </Tab>
          ))}
        </TabList>
        {tabs.map(({ id, content }) => (
          <TabPanel key={id} tabId={prefix + id} className="tabpanel" unmountOnHide>
            {content}
          </TabPanel>
        ))}
      </TabProvider>
    </div>
  );
}
